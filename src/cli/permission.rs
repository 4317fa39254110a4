//! `vestibule permission`: what roles can be made of.

use clap::Subcommand;
use serde_json::json;

use super::{
    out::say,
    outcome::{Outcome, sentence},
};
use crate::{
    app::App,
    kinds::{Permission, Role},
    model::permission,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every permission: those of this program, and those of the application as `serve` last read them.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
}

struct Line {
    name: String,
    title: String,
    roles: Vec<Role>,
    fits_custom_roles: bool,
    is_retired: bool,
}

/// Runs it.
pub(crate) async fn run(app: App, Command::List { json }: Command) -> Outcome {
    let own = Permission::ALL.iter().map(|permission| Line {
        name: permission.to_string(),
        title: permission.title().to_owned(),
        roles: Role::ALL.iter().copied().filter(|role| permission.is_of(*role)).collect(),
        fits_custom_roles: permission.fits_custom_roles(),
        is_retired: false,
    });
    let mut lines: Vec<Line> = own.collect();
    for entry in sentence(app.read(permission::all).await)? {
        let mut roles = Vec::new();
        for role in Role::ALL {
            if sentence(entry.is_of(*role))? {
                roles.push(*role);
            }
        }
        let is_retired = entry.retired_at.is_some();
        let (name, title) = (entry.name, entry.title);
        lines.push(Line { name, title, roles, fits_custom_roles: !is_retired, is_retired });
    }
    for line in &lines {
        let words: Vec<&str> = line.roles.iter().map(Role::as_str).collect();
        match json {
            true => say!(
                "{}",
                json!({
                    "name": line.name, "title": line.title, "roles": words,
                    "customRoles": line.fits_custom_roles, "retired": line.is_retired,
                })
            ),
            false => {
                let who = if line.is_retired { "retired".to_owned() } else { words.join(", ") };
                say!("{:<32} {:<22} {}", line.name, who, line.title);
            }
        }
    }
    Ok(())
}

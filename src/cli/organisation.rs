//! `vestibule organisation`: what an operator may do to an organisation. Every change is audited as an operator's.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    out::{self, say},
    outcome::{Outcome, refused, sentence},
    user,
};
use crate::{
    accounts::{
        members,
        organisation_deletion::{self, Extent},
        organisations, policy, policy_changes,
    },
    app::App,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::OrganisationId,
    kinds::Role,
    model::{
        audit::Actor,
        domain,
        held_role::HeldRole,
        membership,
        organisation::{self, Organisation, Slug, Title},
        organisation_policy::OrganisationPolicy,
        user::User,
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every organisation.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// One organisation: its owners, how many belong to it, its domains, whether it is going to be deleted.
    Show(Which),
    /// Create an organisation.
    Create {
        /// Its name.
        name: String,
        /// The address of the account that is to own it.
        #[arg(long, value_name = "ADDRESS")]
        owner: String,
        /// Its short name in links; made from the name where it is left out.
        #[arg(long)]
        slug: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make someone a member.
    AddMember {
        #[command(flatten)]
        which: Which,
        /// The address of their account.
        address: String,
        /// owner, editor or viewer.
        #[arg(long, default_value = "viewer", value_parser = parse_role)]
        role: Role,
    },
    /// Make someone an owner, member or not: for an organisation whose owners are gone.
    Owner {
        #[command(flatten)]
        which: Which,
        /// The address of their account.
        address: String,
    },
    /// Delete an organisation as if an owner had asked: after the grace, or now.
    Delete {
        #[command(flatten)]
        which: Which,
        /// At once, without a grace. Nothing brings it back.
        #[arg(long)]
        now: bool,
    },
    /// Keep an organisation that is going to be deleted.
    Restore(Which),
    /// What an organisation asks of its members' sessions. Clear a part of it where its owners are locked out.
    Policy {
        #[command(flatten)]
        which: Which,
        /// Ask for this no more; may be there more than once.
        #[arg(long, value_name = "NAME", value_parser = OrganisationPolicy::SETTINGS)]
        clear: Vec<String>,
    },
}

/// Which organisation.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its short name, as in links, or its id.
    #[arg(value_name = "SLUG-OR-ID")]
    slug: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

// Organisations read at a time.
const PAGE: i64 = 500;

fn parse_role(word: &str) -> std::result::Result<Role, String> {
    Role::from_word(word).ok_or_else(|| "write owner, editor or viewer".to_owned())
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Show(which) => show(&app, &which).await,
        Command::Create { name, owner, slug, json } => create(&app, &name, &owner, slug, json).await,
        Command::AddMember { which, address, role } => {
            let person = user::find(&app, &address).await?;
            let already = already(&app, &which, &person).await?;
            let words = [format!("has {address} as a member"), format!("has {address} as {already} already")];
            act(&app, &which, words, move |tx, found| add(tx, found, &person, role)).await
        }
        Command::Owner { which, address } => {
            let person = user::find(&app, &address).await?;
            let words = [format!("is owned by {address}"), format!("is owned by {address} already")];
            act(&app, &which, words, move |tx, found| make_owner(tx, found, &person)).await
        }
        Command::Delete { which, now } => {
            let done = if now { "is deleted" } else { "is going to be deleted" };
            let words = [done.to_owned(), "was going to be deleted already".to_owned()];
            act(&app, &which, words, move |tx, found| delete(tx, found, now)).await
        }
        Command::Policy { which, clear } if clear.is_empty() => show_policy(&app, &which).await,
        Command::Policy { which, clear } => {
            let names = clear.join(", ");
            let words = [format!("asks for {names} no more"), format!("did not ask for {names}")];
            let change = move |tx: &mut Tx, found: &Organisation| {
                policy_changes::clear(tx, &Actor::operator(), found, &clear)
            };
            act(&app, &which, words, change).await
        }
        Command::Restore(which) => {
            let words = ["is restored".to_owned(), "was not going to be deleted".to_owned()];
            let restore = |tx: &mut Tx, found: &Organisation| {
                organisation_deletion::restore(tx, &Actor::operator(), &found.id)
            };
            act(&app, &which, words, restore).await
        }
    }
}

fn in_use(found: &Organisation) -> Result<()> {
    if found.is_leaving() { Err(policy::organisation_leaving(found.slug.clone())) } else { Ok(()) }
}

fn add(tx: &mut Tx, found: &Organisation, person: &User, role: Role) -> Result<bool> {
    in_use(found)?;
    if membership::role_of(tx.conn, &found.id, &person.id)?.is_some() {
        return Ok(false);
    }
    organisations::add_member(tx, &Actor::operator(), &found.id, &person.id, role).map(|()| true)
}

/// What somebody is there already, in words.
async fn already(app: &App, which: &Which, person: &User) -> std::result::Result<String, String> {
    let organisation = find(app, &which.slug).await?.id;
    let person = person.id.clone();
    let role = sentence(app.read(move |conn| membership::role_of(conn, &organisation, &person)).await)?;
    Ok(role.map_or_else(
        || "a member".to_owned(),
        |role| format!("{} {role}", if role == Role::Viewer { "a" } else { "an" }),
    ))
}

fn make_owner(tx: &mut Tx, found: &Organisation, person: &User) -> Result<bool> {
    in_use(found)?;
    let owner = HeldRole::BuiltIn(Role::Owner);
    match membership::role_of(tx.conn, &found.id, &person.id)? {
        Some(Role::Owner) => return Ok(false),
        Some(_) => organisations::set_role(tx, &Actor::operator(), &found.id, &person.id, &owner)?,
        None => organisations::add_member(tx, &Actor::operator(), &found.id, &person.id, Role::Owner)?,
    }
    Ok(true)
}

fn delete(tx: &mut Tx, found: &Organisation, now: bool) -> Result<bool> {
    let grace = match now {
        true => chrono::TimeDelta::zero(),
        false => tx.config.lifetimes.organisation_grace,
    };
    let actor = Actor::operator();
    let deletes_at = organisation_deletion::schedule(tx, &actor, &found.id, grace)?;
    match now {
        true => organisation_deletion::end(tx, &actor, &found.id),
        false => Ok(found.deletes_at != Some(deletes_at)),
    }
}

async fn create(app: &App, name: &str, owner: &str, slug: Option<String>, as_json: bool) -> Outcome {
    let title = Title::parse(name)?;
    let slug = match slug {
        Some(typed) => Slug::for_new(&typed).map_err(|problem| format!("--slug: {problem}"))?,
        None => sentence(title.slug())?,
    };
    let owner = user::find(app, owner).await?;
    if !owner.is_verified() {
        return refused(format!("{} has not confirmed that address.", owner.email.spelled()));
    }
    let made = app.write(move |tx| organisations::create(tx, &Actor::operator(), &owner.id, &title, &slug));
    let made = made.await.map_err(|error| match &error {
        Error::Invalid(errors) if errors.iter().any(|(field, _)| field == "slug") => {
            error.cause().replace("Choose another.", "Choose another with --slug.")
        }
        error => error.cause(),
    })?;
    out::print(&told(&made), as_json, &format!("{} is created as {}.", made.name, made.slug));
    Ok(())
}

fn told(found: &Organisation) -> Value {
    json!({
        "id": found.id, "slug": found.slug, "name": found.name, "createdAt": found.created_at,
        "deleteAt": found.deletes_at,
    })
}

fn state(found: &Organisation) -> String {
    found.deletes_at.map_or_else(|| "in use".to_owned(), |at| format!("will be deleted on {}", at.iso()))
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let mut after = String::new();
    while out::is_open() {
        let page = sentence(app.read(move |conn| organisation::page(conn, &after, PAGE)).await)?;
        let Some(last) = page.last().map(|found| found.slug.clone()) else { return Ok(()) };
        for found in &page {
            match as_json {
                true => say!("{}", told(found)),
                false => say!("{}  {:<40} {:<30} {}", found.id, found.slug, state(found), found.name),
            }
        }
        after = last;
    }
    Ok(())
}

/// What there is to know of an organisation.
fn whole(conn: &mut Conn, found: &Organisation) -> Result<Value> {
    let mut told = told(found);
    let owners = members::owners(conn, &found.id)?;
    let Extent { members, connections, keys } = organisation_deletion::extent(conn, &found.id)?;
    let domains = domain::of(conn, &found.id)?;
    told["owners"] = owners.iter().map(|owner| owner.email.spelled()).collect();
    told["members"] = members.into();
    told["connections"] = connections.into();
    told["keys"] = keys.into();
    told["domains"] = domains.iter().map(|domain| domain.name.as_str()).collect();
    Ok(told)
}

async fn show(app: &App, which: &Which) -> Outcome {
    let found = find(app, &which.slug).await?;
    let organisation = found.clone();
    let told = sentence(app.read(move |conn| whole(conn, &organisation)).await)?;
    if which.json {
        say!("{told}");
        return Ok(());
    }
    let list = |key: &str| {
        let words = told[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(", ")
    };
    say!("{}  {}  {}", found.id, found.slug, found.name);
    say!("  {}, created {}", state(&found), found.created_at.iso());
    say!("  owned by {}", list("owners"));
    say!("  {} members, {} connections, {} API keys", told["members"], told["connections"], told["keys"]);
    say!("  domains: {}", list("domains"));
    Ok(())
}

async fn show_policy(app: &App, which: &Which) -> Outcome {
    let policy = json!(find(app, &which.slug).await?.policy);
    if which.json {
        say!("{policy}");
        return Ok(());
    }
    for setting in OrganisationPolicy::SETTINGS {
        let value = match &policy[setting] {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        say!("{setting:<18}{value}");
    }
    Ok(())
}

pub(super) async fn find(app: &App, named: &str) -> std::result::Result<Organisation, String> {
    let nothing = || format!("There is no organisation called {named}.");
    let (slug, id) = (Slug::parse(named).ok(), OrganisationId::parse(named));
    let found = app.read(move |conn| {
        if let Some(slug) = &slug {
            let found = organisation::called(conn, slug.as_str())?;
            if let Some(found) = found.into_iter().find(|found| found.slug == slug.as_str()) {
                return Ok(found);
            }
        }
        organisation::by_id(conn, id.as_ref().ok_or(Error::NotFound)?)
    });
    match found.await {
        Err(Error::NotFound) => Err(nothing()),
        found => sentence(found),
    }
}

/// Changes one organisation. `words`: what to say where that changed something, and where it did not.
async fn act<F>(app: &App, which: &Which, words: [String; 2], change: F) -> Outcome
where
    F: FnOnce(&mut Tx, &Organisation) -> Result<bool> + Send + 'static,
{
    let found = find(app, &which.slug).await?;
    let (id, slug) = (found.id.clone(), found.slug.clone());
    let changed = sentence(app.write(move |tx| change(tx, &found)).await)?;
    let [done, not_done] = words;
    let told = if changed { done } else { not_done };
    if which.json {
        say!("{}", json!({ "id": id, "slug": slug, "changed": changed, "message": told }));
    }
    match changed {
        false => refused(format!("{slug} {told}: nothing was changed.")),
        true if !which.json => {
            say!("{slug} {told}.");
            Ok(())
        }
        true => Ok(()),
    }
}

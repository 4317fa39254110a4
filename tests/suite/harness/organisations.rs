//! An organisation with members, as the tests of roles and permissions have it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    ids::{Id, UserId},
    internals::{Actor, add_member},
    kinds::Role,
};

use super::{TestApp, Visitor};

/// The catalogue of an application that keeps notes.
pub const NOTES: &str = r#"
[[permission]]
name = "notes:read"
title = "Read notes"
roles = ["owner", "editor", "viewer"]
[[permission]]
name = "notes:update"
title = "Change notes"
roles = ["owner"]
[[permission]]
name = "notes:update-own"
title = "Change one's own notes"
roles = ["owner", "editor"]
[[permission]]
name = "notes:delete"
title = "Delete notes"
[[permission]]
name = "notes:share-own"
title = "Share one's own notes"
roles = ["editor"]
"#;

/// Acme, and whoever joins it.
pub struct Acme {
    pub app: TestApp,
    pub id: String,
    pub ada: Visitor,
}

impl Acme {
    /// Ada makes it and owns it; the application behind it keeps notes.
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("permissions.toml");
        std::fs::write(&file, NOTES).unwrap();
        Self::of(TestApp::with(&[("PERMISSIONS_FILE", file.to_str().unwrap())]).await).await
    }

    /// The same in this house.
    pub async fn of(app: TestApp) -> Self {
        let ada = stepped_up(&app, "ada@example.com").await;
        let made = ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201).json();
        let id = made["organisation"]["id"].as_str().unwrap().to_owned();
        Self { app, id, ada }
    }

    /// Somebody confirmed who stepped up joins in a role: a built-in one, or one of its own.
    pub async fn joins(&self, address: &str, role: &str) -> (Visitor, String) {
        let visitor = stepped_up(&self.app, address).await;
        let user = self.app.user_id(address).await;
        self.enters(&user, role).await;
        (visitor, user.to_string())
    }

    /// Somebody is a member in this role, whatever they were before.
    pub async fn enters(&self, user: &UserId, role: &str) {
        let built_in = role_of(role).unwrap_or(Role::Viewer);
        let (organisation, member) = (Id::from_text(self.id.clone()), user.clone());
        let join = self
            .app
            .inner
            .write(move |tx| add_member(tx, &Actor::operator(), &organisation, &member, built_in).map(drop));
        join.await.unwrap();
        let role_id = if role_of(role).is_some() { "NULL".to_owned() } else { format!("'{role}'") };
        let set = format!("UPDATE memberships SET role = '{built_in}', role_id = {role_id}");
        self.app.db_execute(&format!("{set} WHERE user_id = '{user}'")).await;
    }

    /// Ada makes a role: its id.
    pub async fn role(&self, name: &str, permissions: &[&str]) -> String {
        let form = json!({ "name": name, "permissions": permissions });
        let made = self.ada.post_json("/organisations/acme/roles", form).await.is(201).json();
        made["role"]["id"].as_str().unwrap().to_owned()
    }

    /// The role of a member as the others see it: its word or id, and its name.
    pub async fn role_of(&self, user: &str) -> (String, String) {
        let page = self.ada.get("/organisations/acme").await.is(200).json();
        let members = page["members"].as_array().unwrap().clone();
        let member = members.iter().find(|member| member["id"] == user).unwrap_or(&Value::Null);
        let text = |key: &str| member[key].as_str().unwrap_or_default().to_owned();
        (text("role"), text("roleName"))
    }

    /// Whether a session of theirs is stepped up.
    pub async fn is_stepped_up(&self, user: &str) -> bool {
        let stepped_up = format!("sessions WHERE user_id = '{user}' AND stepped_up_at IS NOT NULL");
        self.app.count(&stepped_up).await > 0
    }

    pub fn member_path(user: &str) -> String {
        format!("/organisations/acme/members/{user}")
    }
}

/// Somebody confirmed who stepped up just now. A test clock stands still; members are listed as they came.
pub async fn stepped_up(app: &TestApp, address: &str) -> Visitor {
    app.wait(TimeDelta::seconds(1));
    let curl = app.verified(address).await;
    curl.steps_up().await;
    curl
}

fn role_of(word: &str) -> Option<Role> {
    Role::ALL.iter().copied().find(|role| role.as_str() == word)
}

//! The URLs of directories: what identity providers call.

use super::entry::{Entry, delete, get, patch, post, put};
use crate::{flows::scim, web::directory_path::is_of_directory};

/// All of them.
#[rustfmt::skip]
pub(super) fn entries() -> Vec<Entry> {
    vec![
        get("/scim/v2/ServiceProviderConfig", "what the service can (RFC 7643 §5)", scim::discovery::config),
        get("/scim/v2/ResourceTypes", "User and Group", scim::discovery::resource_types),
        get("/scim/v2/ResourceTypes/{id}", "one of them", scim::discovery::resource_type),
        get("/scim/v2/Schemas", "the attributes that are kept", scim::discovery::schemas),
        get("/scim/v2/Schemas/{id}", "those of one schema", scim::discovery::schema),
        get("/scim/v2/Users", "the people of the directory: `filter`, `startIndex` or `cursor`, `count`, `attributes`, `excludedAttributes`", scim::users::index),
        post("/scim/v2/Users", "a user → 201 with it; one that was deactivated comes back", scim::users::create),
        post("/scim/v2/Users/.search", "the same as the list, asked in a body", scim::users::search),
        get("/scim/v2/Users/{id}", "one user, at its version (`ETag`)", scim::users::show),
        put("/scim/v2/Users/{id}", "a user: what is absent stays, `null` clears", scim::users::replace),
        patch("/scim/v2/Users/{id}", "`{Operations}`: `active` false puts the person out before the answer", scim::users::patch),
        delete("/scim/v2/Users/{id}", "the same, and the entry is gone", scim::users::remove),
        get("/scim/v2/Groups", "the groups of the directory, as the list of users", scim::groups::index),
        post("/scim/v2/Groups", "a group → 201 with it", scim::groups::create),
        post("/scim/v2/Groups/.search", "the same as the list, asked in a body", scim::groups::search),
        get("/scim/v2/Groups/{id}", "one group with its members, at its version", scim::groups::show),
        put("/scim/v2/Groups/{id}", "a group: what is absent stays", scim::groups::replace),
        patch("/scim/v2/Groups/{id}", "`{Operations}`; 204 where it has more than 200 members", scim::groups::patch),
        delete("/scim/v2/Groups/{id}", "removes it, and the role that it gave", scim::groups::remove),
        post("/scim/v2/.search", "the same over users and groups", scim::search::create),
        post("/scim/v2/Bulk", "501", scim::unsupported),
        get("/scim/v2/Me", "501", scim::unsupported),
    ]
}

/// The patterns of a path: a slash at the end is taken where identity providers call.
pub(super) fn patterns(path: &str) -> Vec<String> {
    match is_of_directory(path) {
        true => vec![path.to_owned(), format!("{path}/")],
        false => vec![path.to_owned()],
    }
}

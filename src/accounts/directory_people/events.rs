//! What the record says of the entries of directories.

use crate::{
    error::Result,
    ids::{DirectoryPersonId, OrganisationId},
    model::{audit::audit_events, directory::person::Person},
};

audit_events! {
    /// An identity provider lists somebody.
    DirectoryPersonAdded { organisation: OrganisationId, person: DirectoryPersonId, user_name: String, external_id: Option<String> }
        => of_organisation("directory_person_added", "Person added by the directory"),
    /// What it says of them changed.
    DirectoryPersonChanged { organisation: OrganisationId, person: DirectoryPersonId, from: Told, to: Told }
        => of_organisation("directory_person_changed", "Person changed by the directory"),
    /// It says that they have left.
    DirectoryPersonDeactivated { organisation: OrganisationId, person: DirectoryPersonId, is_kept: bool }
        => of_organisation("directory_person_deactivated", "Person left, says the directory"),
    /// It says that they are back.
    DirectoryPersonReactivated { organisation: OrganisationId, person: DirectoryPersonId }
        => of_organisation("directory_person_reactivated", "Person is back, says the directory"),
    /// It lists them no more.
    DirectoryPersonRemoved { organisation: OrganisationId, person: DirectoryPersonId, user_name: String }
        => of_organisation("directory_person_removed", "Person removed by the directory"),
    /// An entry stands for an account from now on.
    JoinedByDirectory { organisation: OrganisationId, person: DirectoryPersonId }
        => of_organisation("joined_by_directory", "Person connected with the directory"),
    /// The organisation asked somebody to join whom its directory lists.
    DirectoryPersonAsked { organisation: OrganisationId, person: DirectoryPersonId }
        => of_organisation("directory_person_asked", "Person asked to join"),
}

/// What an entry is known by.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    user_name: String,
    external_id: Option<String>,
    address: Option<String>,
}

impl Told {
    pub(super) fn of(person: &Person) -> Result<Self> {
        let fields = person.fields()?;
        Ok(Self {
            user_name: fields.user_name,
            external_id: fields.external_id,
            address: person.address.clone(),
        })
    }
}

//! Microsoft Entra ID: a shared address for many tenants, and people whose `sub` changes with the registration.

/// What a token's issuer is made of where any tenant may sign in, as the metadata at `common` and `organizations` has it.
pub(crate) const ANY_TENANT: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

/// The tenant of all personal accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// The claim that identifies people: the same in every registration, within a tenant.
pub(crate) const SUBJECT_CLAIM: &str = "oid";

/// What the metadata of a tenant has to call itself: `common`, `organizations`, `consumers`, or a GUID.
pub(crate) fn issuer(tenant: &str) -> String {
    match tenant {
        "common" | "organizations" => ANY_TENANT.to_owned(),
        "consumers" => ANY_TENANT.replace("{tenantid}", CONSUMERS),
        tenant => ANY_TENANT.replace("{tenantid}", tenant),
    }
}

/// Where the metadata of a tenant is.
pub(crate) fn metadata_url(tenant: &str) -> String {
    super::metadata_url(&ANY_TENANT.replace("{tenantid}", tenant))
}

/// The issuer of a tenant by its `tid`, which has to be a GUID.
pub(super) fn issuer_of_tenant(tid: &str) -> Option<String> {
    let is_guid = tid.len() == 36
        && tid.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        });
    is_guid.then(|| ANY_TENANT.replace("{tenantid}", tid))
}

/// Whether this is the issuer of some tenant.
pub(super) fn is_tenants_issuer(issuer: &str) -> bool {
    let tid = ANY_TENANT
        .split_once("{tenantid}")
        .and_then(|(before, after)| issuer.strip_prefix(before)?.strip_suffix(after));
    tid.and_then(issuer_of_tenant).is_some()
}

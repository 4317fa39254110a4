//! `DATABASE_PASSWORD`: the password of PostgreSQL, as secret stores hold it, beside its address.

use url::form_urlencoded::byte_serialize;

use super::{
    database_url::{DatabaseUrl, with_parameter},
    values::Reader,
};

impl Reader {
    /// Puts the password that stands by itself into the address, as PostgreSQL's own parameter (libpq `password`).
    pub(crate) fn with_password(&mut self, database: DatabaseUrl) -> DatabaseUrl {
        // As it is: a blank may be part of it.
        let password = match self.text("DATABASE_PASSWORD") {
            Some(_) => self.values.get("DATABASE_PASSWORD").cloned().unwrap_or_default(),
            None => return database,
        };
        let expected = match &database {
            DatabaseUrl::Sqlite(_) => "is not of PostgreSQL. Leave DATABASE_PASSWORD out",
            DatabaseUrl::Postgres(url) if has_password(url) => "holds a password too. Leave one of them out",
            DatabaseUrl::Postgres(url) => {
                // A form's encoding, but for the blank, which libpq knows as %20 only.
                let encoded: String = byte_serialize(password.as_bytes()).collect();
                let parameter = format!("password={}", encoded.replace('+', "%20"));
                return DatabaseUrl::Postgres(with_parameter(url, &parameter));
            }
        };
        self.problems.push(format!("DATABASE_PASSWORD is set, and DATABASE_URL {expected}."));
        database
    }
}

/// Whether an address of PostgreSQL holds a password: `user:password@`, or as a parameter.
fn has_password(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || parameters.split('&').any(|parameter| parameter.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::{super::from_values, *};

    #[test]
    fn a_password_by_itself_goes_into_the_address_whatever_is_in_it() {
        let used = |url: &str, password: &str| {
            let settings = [
                ("SECRET_KEY", "a key that is long enough to be a secret key"),
                ("DATABASE_URL", url),
                ("DATABASE_PASSWORD", password),
            ];
            let values = settings.map(|(name, text)| (name.to_owned(), text.to_owned()));
            from_values(values.into()).map(|config| config.database).map_err(|problems| problems.to_string())
        };
        for (url, password, parameters) in [
            ("postgres://v@db/v", "plain", "?gssencmode=disable&password=plain"),
            ("postgres://db/v", "p@ss:/?#", "?gssencmode=disable&password=p%40ss%3A%2F%3F%23"),
            ("postgres://v@db/v?sslmode=require", " %+ ", "&gssencmode=disable&password=%20%25%2B%20"),
            ("postgres://v@a:1,b:2/v", "é", "?gssencmode=disable&password=%C3%A9"),
            ("postgres:///v?host=/run/postgresql", "x&y=z", "&gssencmode=disable&password=x%26y%3Dz"),
            ("postgres://v@db/v:w@x", "plain", "?gssencmode=disable&password=plain"),
        ] {
            let expected = DatabaseUrl::Postgres(format!("{url}{parameters}"));
            assert!(used(url, password).as_ref() == Ok(&expected), "{url}");
        }
        for url in ["postgres://v:w@db/v", "postgres://v:@db/v", "postgres://db/v?user=v&password=w"] {
            assert!(used(url, "x").is_err_and(|told| told.contains("holds a password too")), "{url}");
        }
        let blank = used("postgres://v:w@db/v", " ");
        assert!(blank.is_ok(), "a blank one is none");
    }
}

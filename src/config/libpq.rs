//! What PostgreSQL's own library takes from an address and from the environment.

/// What may lead libpq to another machine than the address, or there without TLS (PostgreSQL, libpq-envars).
pub(crate) const VARIABLES: [&str; 5] = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE"];

/// What libpq takes behind the `?` (PostgreSQL 18, "Parameter Key Words"), and `ssl`, which it translates.
pub(crate) const OPTIONS: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "passfile",
    "require_auth",
    "channel_binding",
    "connect_timeout",
    "client_encoding",
    "options",
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "gssencmode",
    "sslmode",
    "requiressl",
    "sslnegotiation",
    "sslcompression",
    "sslcert",
    "sslkey",
    "sslkeylogfile",
    "sslpassword",
    "sslcertmode",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "requirepeer",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "min_protocol_version",
    "max_protocol_version",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "target_session_attrs",
    "load_balance_hosts",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
    "ssl",
];

/// Options of other programs, and what does here what they do there.
pub(crate) const FOREIGN: &[(&[&str], &str)] = &[
    (
        &["pgbouncer", "supa", "prepareThreshold", "prepared_statements", "statement_cache_size", "prepare"],
        "it without that, and DATABASE_POOLER=transaction where a pooler such as PgBouncer is in between",
    ),
    (
        &["schema", "search_path", "currentSchema", "currentschema"],
        "options=-csearch_path%3DNAME for another schema",
    ),
    (
        &["connection_limit", "pool_timeout", "pool", "pool_size", "pool_max_conns", "max", "min"],
        "it without that, and the number of connections into DATABASE_POOL",
    ),
    (&["sslaccept", "uselibpqcompat", "tls", "ssl_mode", "sslMode"], "sslmode=verify-full"),
    (&["charset", "encoding", "serverVersion", "server_version", "driver", "reconnect"], "it without that"),
];

/// What libpq knows as `sslmode`.
pub(crate) const MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

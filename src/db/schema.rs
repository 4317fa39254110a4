// The tables as the migrations make them; `tests/suite/migrations.rs` holds the two against each other.

diesel::table! {
    users (id) {
        id -> Text,
        email -> Text,
        email_normalized -> Text,
        email_verified_at -> Nullable<Timestamp>,
        name -> Text,
        password_hash -> Nullable<Text>,
        password_blocked_at -> Nullable<Timestamp>,
        browsers_known_from -> Timestamp,
        created_at -> Timestamp,
        created_from -> Text,
        factors_reset_at -> Nullable<Timestamp>,
        locked_at -> Nullable<Timestamp>,
        deletes_at -> Nullable<Timestamp>,
        warned_at -> Nullable<Timestamp>,
        deletion_hold -> Nullable<Text>,
        factors_reset_only -> Nullable<Text>,
        suspended_at -> Nullable<Timestamp>,
        suspended_by -> Nullable<Text>,
        deletes_for -> Nullable<Text>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Text,
        secret_hash -> Text,
        remembered -> Bool,
        method -> Text,
        browser -> Text,
        os -> Text,
        device_type -> Text,
        user_agent -> Text,
        language -> Text,
        time_zone -> Text,
        screen -> Text,
        ip -> Text,
        stepped_up_at -> Nullable<Timestamp>,
        locked_at -> Nullable<Timestamp>,
        locked_by -> Nullable<Text>,
        created_at -> Timestamp,
        last_active_at -> Timestamp,
        idle_expires_at -> Timestamp,
        expires_at -> Timestamp,
        second_factor -> Nullable<Text>,
        passkey_id -> Nullable<Text>,
        binding -> Nullable<Text>,
        stepped_up_with -> Nullable<Text>,
        browser_known_since -> Nullable<Timestamp>,
        connection_id -> Nullable<Text>,
        name_id_hash -> Nullable<Text>,
        sid_hash -> Nullable<Text>,
        provider_session -> Nullable<Text>,
        browser_seen_since -> Nullable<Timestamp>,
        organisation_id -> Nullable<Text>,
        longest_idle -> Integer,
    }
}

diesel::table! {
    security_changes (id) {
        id -> Text,
        user_id -> Text,
        kind -> Text,
        target_id -> Nullable<Text>,
        sealed -> Nullable<Text>,
        network -> Text,
        session_id -> Nullable<Text>,
        session_began_at -> Nullable<Timestamp>,
        browser_known_since -> Nullable<Timestamp>,
        passkey_id -> Nullable<Text>,
        at -> Timestamp,
        session_method -> Nullable<Text>,
        session_factor -> Nullable<Text>,
        session_connection -> Nullable<Text>,
    }
}

diesel::table! {
    tokens (hash) {
        hash -> Text,
        user_id -> Nullable<Text>,
        purpose -> Text,
        claim -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        used_at -> Nullable<Timestamp>,
        tries -> Integer,
    }
}

diesel::table! {
    sign_ins (id) {
        id -> Text,
        user_id -> Text,
        at -> Timestamp,
        ip -> Text,
        network -> Text,
        browser -> Text,
        os -> Text,
        device_type -> Text,
        method -> Text,
        outcome -> Text,
        is_new_device -> Bool,
        had_cookie -> Bool,
        second_factor -> Nullable<Text>,
    }
}

diesel::table! {
    throttles (key) {
        key -> Text,
        count -> Integer,
        ends_at -> Timestamp,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        user_id -> Nullable<Text>,
        kind -> Text,
        sealed -> Nullable<Text>,
        created_at -> Timestamp,
        due_at -> Timestamp,
        attempts -> Integer,
        sent_at -> Nullable<Timestamp>,
        parked_at -> Nullable<Timestamp>,
        last_error -> Nullable<Text>,
        destination -> Text,
        trouble -> Nullable<Text>,
        requeued_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    audit (id) {
        id -> Text,
        at -> Timestamp,
        actor_kind -> Text,
        actor_id -> Nullable<Text>,
        session_id -> Nullable<Text>,
        ip -> Nullable<Text>,
        event -> Text,
        subject_id -> Nullable<Text>,
        detail -> Text,
        organisation_id -> Nullable<Text>,
    }
}

diesel::table! {
    totp (user_id) {
        user_id -> Text,
        sealed -> Text,
        last_step -> BigInt,
        created_at -> Timestamp,
        last_used_at -> Timestamp,
    }
}

diesel::table! {
    totp_setups (session_id) {
        session_id -> Text,
        user_id -> Text,
        sealed -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    recovery_codes (hash) {
        hash -> Text,
        user_id -> Text,
        created_at -> Timestamp,
        used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Text,
        user_id -> Text,
        credential_id -> Text,
        credential -> Text,
        counter -> BigInt,
        rp_id -> Text,
        name -> Text,
        is_synced -> Bool,
        created_at -> Timestamp,
        last_used_at -> Nullable<Timestamp>,
        copied_at -> Nullable<Timestamp>,
        disputed_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    jobs (name) {
        name -> Text,
        holder -> Nullable<Text>,
        held_until -> Nullable<Timestamp>,
        next_at -> Timestamp,
        began_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        done -> Integer,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    organisations (id) {
        id -> Text,
        name -> Text,
        slug -> Text,
        created_at -> Timestamp,
        deletes_at -> Nullable<Timestamp>,
        policy -> Nullable<Text>,
    }
}

diesel::table! {
    former_slugs (slug) {
        slug -> Text,
        organisation_id -> Nullable<Text>,
        until -> Timestamp,
    }
}

diesel::table! {
    memberships (organisation_id, user_id) {
        organisation_id -> Text,
        user_id -> Text,
        role -> Text,
        created_at -> Timestamp,
        role_id -> Nullable<Text>,
    }
}

diesel::table! {
    permissions (name) {
        name -> Text,
        title -> Text,
        roles -> Text,
        retired_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    roles (id) {
        id -> Text,
        organisation_id -> Text,
        name -> Text,
        name_folded -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    role_permissions (role_id, permission) {
        role_id -> Text,
        permission -> Text,
    }
}

diesel::table! {
    service_keys (id) {
        id -> Text,
        state -> Text,
        sealed -> Text,
        certificate -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    connections (id) {
        id -> Text,
        organisation_id -> Text,
        name -> Text,
        issuer -> Text,
        metadata -> Text,
        metadata_url -> Nullable<Text>,
        read_at -> Timestamp,
        read_error -> Nullable<Text>,
        expires_at -> Timestamp,
        warned_days -> Nullable<Integer>,
        mapping -> Text,
        sends_unsigned -> Bool,
        allows_idp_initiated -> Bool,
        asks_second_factor -> Bool,
        tested_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        name_policy -> Text,
        identifier -> Text,
        unsigned_responses -> Integer,
        is_paused -> Bool,
        protocol -> Text,
        client_id -> Nullable<Text>,
        secret_sealed -> Nullable<Text>,
        scopes -> Nullable<Text>,
        subject_claim -> Nullable<Text>,
        can_step_up -> Bool,
    }
}

diesel::table! {
    domains (id) {
        id -> Text,
        organisation_id -> Text,
        connection_id -> Nullable<Text>,
        name -> Text,
        challenge -> Text,
        verified_at -> Nullable<Timestamp>,
        verified_by -> Nullable<Text>,
        checked_at -> Nullable<Timestamp>,
        gone_since -> Nullable<Timestamp>,
        is_enforced -> Bool,
        break_glass_id -> Nullable<Text>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    identities (id) {
        id -> Text,
        connection_id -> Text,
        format -> Text,
        name -> Text,
        user_id -> Text,
        created_at -> Timestamp,
        last_used_at -> Timestamp,
    }
}

diesel::table! {
    assertions (hash) {
        hash -> Text,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    attempts (id) {
        id -> Text,
        connection_id -> Text,
        user_id -> Nullable<Text>,
        at -> Timestamp,
        is_test -> Bool,
        outcome -> Text,
        sealed -> Text,
        is_signed -> Bool,
    }
}

diesel::table! {
    key_checks (id) {
        id -> Text,
        sealed -> Text,
        sealed_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    schema_versions (migration) {
        migration -> Text,
        program -> Text,
    }
}

diesel::table! {
    invitations (id) {
        id -> Text,
        organisation_id -> Text,
        email -> Text,
        email_normalized -> Text,
        role -> Text,
        role_id -> Nullable<Text>,
        invited_by -> Nullable<Text>,
        state -> Text,
        emails_sent -> Integer,
        created_at -> Timestamp,
        sent_at -> Timestamp,
        expires_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
        person_id -> Nullable<Text>,
    }
}

diesel::table! {
    directories (id) {
        id -> Text,
        organisation_id -> Text,
        default_role -> Text,
        is_required -> Bool,
        is_paused -> Bool,
        last_call_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    directory_tokens (hash) {
        hash -> Text,
        directory_id -> Text,
        id -> Text,
        name -> Text,
        ending -> Text,
        made_by -> Nullable<Text>,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        last_used_at -> Nullable<Timestamp>,
        last_used_ip -> Nullable<Text>,
        warned_days -> Nullable<Integer>,
    }
}

diesel::table! {
    directory_people (id) {
        id -> Text,
        directory_id -> Text,
        user_id -> Nullable<Text>,
        external_id -> Nullable<Text>,
        user_name -> Text,
        user_name_folded -> Text,
        given_name -> Nullable<Text>,
        family_name -> Nullable<Text>,
        formatted_name -> Nullable<Text>,
        display_name -> Nullable<Text>,
        emails -> Text,
        address -> Nullable<Text>,
        is_active -> Bool,
        waits_for -> Nullable<Text>,
        kept_role -> Nullable<Text>,
        made_account -> Bool,
        asked_at -> Nullable<Timestamp>,
        version -> Integer,
        created_at -> Timestamp,
        changed_at -> Timestamp,
    }
}

diesel::table! {
    directory_groups (id) {
        id -> Text,
        directory_id -> Text,
        external_id -> Nullable<Text>,
        display_name -> Text,
        display_name_folded -> Text,
        role -> Nullable<Text>,
        version -> Integer,
        created_at -> Timestamp,
        changed_at -> Timestamp,
    }
}

diesel::table! {
    directory_members (group_id, person_id) {
        group_id -> Text,
        person_id -> Text,
    }
}

diesel::table! {
    notes (id) {
        id -> Text,
        organisation_id -> Text,
        author_id -> Nullable<Text>,
        text -> Text,
        created_at -> Timestamp,
        changed_at -> Timestamp,
    }
}

diesel::table! {
    applications (id) {
        id -> Text,
        kind -> Text,
        name -> Text,
        host -> Nullable<Text>,
        needs -> Text,
        settings -> Text,
        created_at -> Timestamp,
        disabled_at -> Nullable<Timestamp>,
        asked_by -> Nullable<Text>,
        asked_at -> Nullable<Timestamp>,
        refused_peer -> Nullable<Text>,
        refused_at -> Nullable<Timestamp>,
        client_id -> Nullable<Text>,
        secret_hash -> Nullable<Text>,
        former_hash -> Nullable<Text>,
        former_until -> Nullable<Timestamp>,
    }
}

diesel::table! {
    grants (id) {
        id -> Text,
        application_id -> Text,
        user_id -> Text,
        session_id -> Nullable<Text>,
        kind -> Text,
        scopes -> Text,
        audience -> Text,
        acr -> Text,
        amr -> Text,
        second_factor -> Nullable<Text>,
        auth_time -> Timestamp,
        device -> Text,
        ip -> Text,
        created_at -> Timestamp,
        last_used_at -> Timestamp,
        expires_at -> Timestamp,
        made_in -> Nullable<Text>,
        listed_as -> Nullable<Text>,
        sid -> Nullable<Text>,
    }
}

diesel::table! {
    device_requests (hash) {
        hash -> Text,
        user_code_hash -> Text,
        application_id -> Text,
        user_id -> Nullable<Text>,
        grant_id -> Nullable<Text>,
        state -> Text,
        scopes -> Text,
        audience -> Text,
        user_agent -> Text,
        ip -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        seconds -> Integer,
        asked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    refresh_tokens (hash) {
        hash -> Text,
        grant_id -> Text,
        generation -> Integer,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        spent_at -> Nullable<Timestamp>,
        next_hash -> Nullable<Text>,
        answer -> Nullable<Text>,
        scopes -> Text,
        audience -> Text,
        acr -> Text,
        auth_time -> Timestamp,
    }
}

diesel::table! {
    consents (user_id, application_id) {
        user_id -> Text,
        application_id -> Text,
        scopes -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Text,
        application_id -> Text,
        user_id -> Text,
        sid -> Text,
        created_at -> Timestamp,
        due_at -> Timestamp,
        attempts -> Integer,
        parked_at -> Nullable<Timestamp>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        algorithm -> Text,
        state -> Text,
        sealed -> Nullable<Text>,
        public -> Text,
        created_at -> Timestamp,
        changed_at -> Timestamp,
    }
}

diesel::table! {
    gate_sessions (hash) {
        hash -> Text,
        session_id -> Text,
        application_id -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        user_id -> Nullable<Text>,
        organisation_id -> Nullable<Text>,
        made_by -> Text,
        name -> Text,
        hint -> Text,
        secret_hash -> Text,
        former_hash -> Nullable<Text>,
        former_until -> Nullable<Timestamp>,
        permissions -> Text,
        created_at -> Timestamp,
        rolled_at -> Timestamp,
        expires_at -> Nullable<Timestamp>,
        suspended_at -> Nullable<Timestamp>,
        suspended_for -> Nullable<Text>,
        last_used_at -> Nullable<Timestamp>,
        last_used_from -> Nullable<Text>,
        expiry_emails -> Integer,
    }
}

diesel::table! {
    issuers (issuer) {
        issuer -> Text,
        document -> Nullable<Text>,
        keys -> Nullable<Text>,
        read_at -> Nullable<Timestamp>,
        keys_read_at -> Nullable<Timestamp>,
        tried_at -> Nullable<Timestamp>,
        read_error -> Nullable<Text>,
    }
}

diesel::table! {
    provider_identities (id) {
        id -> Text,
        provider -> Text,
        issuer -> Text,
        subject -> Text,
        user_id -> Text,
        known_as -> Nullable<Text>,
        created_at -> Timestamp,
        last_used_at -> Timestamp,
    }
}

diesel::joinable!(api_keys -> organisations (organisation_id));
diesel::joinable!(api_keys -> users (user_id));
diesel::joinable!(attempts -> connections (connection_id));
diesel::joinable!(connections -> organisations (organisation_id));
diesel::joinable!(deliveries -> applications (application_id));
diesel::joinable!(directories -> organisations (organisation_id));
diesel::joinable!(directory_groups -> directories (directory_id));
diesel::joinable!(directory_members -> directory_groups (group_id));
diesel::joinable!(directory_members -> directory_people (person_id));
diesel::joinable!(directory_people -> directories (directory_id));
diesel::joinable!(directory_tokens -> directories (directory_id));
diesel::joinable!(domains -> organisations (organisation_id));
diesel::joinable!(gate_sessions -> applications (application_id));
diesel::joinable!(gate_sessions -> sessions (session_id));
diesel::joinable!(consents -> applications (application_id));
diesel::joinable!(grants -> applications (application_id));
diesel::joinable!(grants -> sessions (session_id));
diesel::joinable!(grants -> users (user_id));
diesel::joinable!(identities -> connections (connection_id));
diesel::joinable!(identities -> users (user_id));
diesel::joinable!(invitations -> organisations (organisation_id));
diesel::joinable!(memberships -> organisations (organisation_id));
diesel::joinable!(memberships -> users (user_id));
diesel::joinable!(notes -> organisations (organisation_id));
diesel::joinable!(notes -> users (author_id));
diesel::joinable!(passkeys -> users (user_id));
diesel::joinable!(provider_identities -> users (user_id));
diesel::joinable!(recovery_codes -> users (user_id));
diesel::joinable!(device_requests -> applications (application_id));
diesel::joinable!(refresh_tokens -> grants (grant_id));
diesel::joinable!(role_permissions -> roles (role_id));
diesel::joinable!(security_changes -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(sign_ins -> users (user_id));
diesel::joinable!(tokens -> users (user_id));
diesel::joinable!(totp -> users (user_id));
diesel::joinable!(totp_setups -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    sessions,
    sign_ins,
    throttles,
    tokens,
    outbox,
    audit,
    totp,
    totp_setups,
    recovery_codes,
    security_changes,
    passkeys,
    organisations,
    former_slugs,
    memberships,
    permissions,
    roles,
    role_permissions,
    service_keys,
    connections,
    domains,
    identities,
    provider_identities,
    invitations,
    api_keys,
    assertions,
    attempts,
    notes,
    applications,
    gate_sessions,
    grants,
    device_requests,
    refresh_tokens,
    consents,
    deliveries,
    signing_keys,
    directories,
    directory_tokens,
    directory_people,
    directory_groups,
    directory_members,
);

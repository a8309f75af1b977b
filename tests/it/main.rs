//! The integration tests: one binary, a module per subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

/// A statement of a test: like `odcm::sql!`, without a place in the list of the program's statements.
macro_rules! query {
    ($text:literal) => {{
        static STATEMENT: odcm::storage::Stmt =
            odcm::storage::Stmt { sql: $text, write: odcm::storage::is_write($text), runs: std::sync::atomic::AtomicU64::new(0) };
        &STATEMENT
    }};
}

mod api_behaviour;
mod api_document;
mod api_matrix;
mod api_sign_ins;
mod api_support;
mod api_texts;
mod database_away;
mod ldap_samba;
mod ldap_samba_pull;
mod ldap_script;
mod ldap_script_members;
mod ldap_script_pull;
mod ldap_script_signin;
mod ldap_script_wire;
mod ldap_slapd;
mod ldap_world;
mod login_gallery;
mod login_guesses;
mod login_pages;
mod login_world;
mod octopus_adapter;
mod oidc_flow;
mod oidc_space;
mod oidc_ways;
mod oidc_world;
mod portal_clients;
mod portal_forms;
mod portal_lists;
mod portal_live;
mod portal_pages;
mod portal_sign_ins;
mod portal_steps;
mod portal_world;
mod push;
mod serving;
mod standin_octopus_api;
mod standin_octopus_client;
mod standin_octopus_documents;
mod standin_octopus_pages;
mod standin_octopus_rights;
mod standin_octopus_settings;
mod standin_octopus_sign_in;
mod standin_octopus_spaces;
mod standin_octopus_teams;
mod standin_octopus_users;
mod storage;
mod upstream;
mod upstream_op;
mod upstream_people;
mod visitor;
mod web_routes;

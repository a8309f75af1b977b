//! The server side of the push channel, over real sockets, spoken to by a client that can misbehave.
//!
//! Hand mutations of `idp/src/push` and the tests that each makes fail. Each was run once, but for those marked (*). Where a
//! rule is kept in two places, only both changes together are a mutation, and the table names both:
//!
//! | mutation | killed by |
//! | --- | --- |
//! | `handshake`: the signature is not checked | `handshake::whoever_cannot_prove_…` |
//! | `handshake`: origin, challenge or hello left out of the proof | `handshake::whoever_cannot_prove_…` (relayed, yesterday's, stripped) |
//! | `handshake`: the Space in hello is not compared with the agent's | `handshake::whoever_cannot_prove_…` (a foreign Space) |
//! | `handshake` *and* `agents::connect`: a revoked agent is let in (*) | `handshake::a_revoked_agent_…` |
//! | `handshake`: the floor of the wire version is ignored | `handshake::the_version_never_falls_…` |
//! | `handshake`: the InstallationId is not compared | `handshake::another_installation_…` |
//! | `hub`: an older connection is neither told to end nor is its handle dropped (*) | `handshake::the_newest_connection_takes_over_…` |
//! | `receive`: the connection epoch in a message is not compared | `handshake::the_newest_connection_takes_over_…` |
//! | `agents::is_current` always true | `handshake::an_old_node_…` |
//! | `hub`: `keep_only` ends nobody | `handshake::a_node_finds_out_…`, `handshake::a_revoked_agent_…` |
//! | `agents::take_code` without `used_at IS NULL` or without the end | `enrolment::a_code_enrols_once_…`, `enrolment::of_many_…` |
//! | `acks`: the digest is not compared | `channel::a_fork_ends_…` |
//! | `acks` *and* `sections::acknowledge`: an unknown revision is stored (*) | `acks::acknowledgements_of_unknown_…` |
//! | `acks` *and* `sections::acknowledge`: an older acknowledgement is stored (*) | `acks::an_older_acknowledgement_…` |
//! | `acks` *and* `sections::acknowledge`: repeating moves the time (*) | `acks::an_acknowledgement_stores_…` |
//! | `reports`: people of other Spaces are taken | `acks::an_agent_speaks_…` |
//! | `reports`: a confirmation survives other people | `acks::a_sweep_is_confirmed_…` |
//! | `sync`: an agent ahead is taken as one without a document | `channel::an_agent_ahead_…` |
//! | `sync`: a broken chain of deltas is sent | `channel::who_was_away_…` |
//! | `sync`: a refused snapshot is sent again as it is | `channel::a_snapshot_is_sent_on_request_…` |
//! | `document`: the delta starts from another base | `channel::a_grant_and_a_revocation_…` (state digest) |
//! | `projector`: `projected` is set to the newest counter instead of the one read | `channel::no_mark_is_lost_…` |
//! | `marks::pending` in order of time only | `channel::spaces_that_lose_something_…` |
//! | `state`: entries of the future travel | `time::entries_of_the_future_…` |
//! | `projector`: the cursor of time starts at now | `time::a_projector_that_was_down_…` |
//! | `sync`: announcements of the fleet key are not sent, or after the documents (*) | `fleet::agents_follow_…` |
//! | `sync`: documents of a fleet key that was rolled away are sent (*) | `fleet::agents_follow_…` |
//! | `sync`: an agent with a foreign fleet key goes unnoticed | `fleet::an_agent_that_was_led_astray_…` |
//! | `document`: section authentication is numbered anew when the offline policy changes | `channel::a_change_that_changes_nothing_…` |
//! | `secret`: a probe without proof has no consequence (*) | `proof::a_secret_that_is_not_proven_…` |
//! | `seen`: looks are stored and not compared | `acks::a_space_that_looks_different_…` |
//! | `reports`: only people of the present state are known | `acks::the_account_of_somebody_revoked_…` |
//! | `handshake`, or `accounts::agents::enrol`: the Space's address is not compared | `enrolment::an_address_that_is_not_…` |
//! | `connection`: no allowance | `hostile::an_agent_that_says_too_much_…` |
//! | `hub`: the allowance is the connection's, not the agent's | `hostile::an_agent_that_says_too_much_…` |
//! | `sync`: snapshots without a limit | `hostile::no_more_than_k_snapshots_…` |
//! | `routes`: no limit of size | `hostile::a_message_beyond_…`, `enrolment::bad_requests_…` |

mod acks;
mod channel;
mod end_to_end;
mod enrolment;
mod fleet;
mod handshake;
mod hostile;
mod joined;
mod proof;
pub mod support;
mod time;

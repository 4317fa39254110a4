//! What is asked of the world: records of domains, the metadata that identity providers publish, and what they answer to a
//! sign-in. Every question has a time limit, and none is asked while a row is held.

mod client;
mod connections;
pub(crate) mod exchange;
pub(crate) mod guard;
mod redirect;
mod unreadable;

pub(crate) use self::{client::Outbound, unreadable::Unreadable};

//! Single sign-on through the front door: people leave for their identity provider and come back.

mod enforcing;
mod operating;
mod provisioning;
mod refused_responses;
mod stepping_up;

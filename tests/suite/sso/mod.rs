//! Single sign-on through the front door: people leave for their identity provider and come back.

mod attempts;
mod contained;
mod enforcing;
mod identifying;
mod operating;
mod provisioning;
mod refused_responses;
mod setting_up;
mod setup_link;
mod signing_out;
mod single_logout;
mod stepping_up;

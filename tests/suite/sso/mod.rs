//! Single sign-on through the front door: people leave for their identity provider and come back.

mod arriving;
mod enforcing;
mod guarding;
mod operating;
mod stepping_up;

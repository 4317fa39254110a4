//! What is refused of a request whatever it asks for.

use crate::error::refusals;

refusals! {
    /// The route exists, but not for this method.
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "This address does not take that kind of request.")
        .titled("This page can't be opened this way");
    /// The body did not arrive in time.
    TIMEOUT = ("timeout", 408, "The request took too long to arrive. Try again.").passing();
    /// The body is larger than any form here needs.
    TOO_LARGE = ("too_large", 413, "That is more than this page accepts.").titled("Too much at once");
    /// The body is neither a form nor JSON.
    UNSUPPORTED_MEDIA = (
        "unsupported_media", 415,
        "Send the body as application/json or application/x-www-form-urlencoded, in UTF-8."
    );
}

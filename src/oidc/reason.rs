//! Why something of a provider's was refused: one name and one sentence each.
//!
//! The sentences are for whoever set the provider up. The end user only gets a generic error: details would help a forger.

use std::fmt;

use serde::{Serialize, Serializer};

/// Writes the enum, its names and its sentences from one table, so that none can be forgotten.
macro_rules! reasons {
    ($($reason:ident $code:literal $sentence:literal)*) => {
        /// Why a sign-in at a provider, or a document of it, is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Reason {
            $(#[doc = $sentence] $reason,)*
        }

        impl Reason {
            /// Every reason there is.
            pub(crate) const ALL: &[Reason] = &[$(Reason::$reason),*];

            /// A short stable name, for logs and for the list of attempts.
            pub(crate) fn code(self) -> &'static str {
                match self { $(Reason::$reason => $code,)* }
            }

            /// What is wrong, in a sentence for whoever set the provider up.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Reason::$reason => $sentence,)* }
            }
        }
    };
}

reasons! {
    // The way back. The first two are found out by the caller, who knows the requests and the browsers.
    UnknownRequest "unknown_request" "The response answers no request of ours, or one that was answered before."
    AnotherBrowser "another_browser" "The response came in another browser than the one that was sent to the provider."
    AnotherIssuer "another_issuer" "The response, its token or the metadata comes from another issuer than the one that was asked."
    NoIssuer "no_issuer" "The response does not name its issuer, although the provider's metadata says that it does."
    Cancelled "cancelled" "The sign-in was cancelled at the provider."
    ErrorResponse "said_no" "The provider answered with an error."
    NoCode "no_code" "The response carries neither a code nor an error."
    // The exchange.
    NoAnswer "no_answer" "The provider did not answer, or not as OAuth 2.0 prescribes."
    BadSecret "bad_secret" "The provider does not accept the client ID or the client secret. The secret may have expired."
    BadCode "bad_code" "The provider does not accept the code, which may have been used before."
    NoIdToken "no_id_token" "The provider sent no ID token. Ask for the scope openid."
    // A token.
    BadToken "bad_token" "The token is not a signed token as OpenID Connect prescribes."
    EncryptedToken "encrypted_token" "The token is encrypted, which cannot be read here. Turn its encryption off at the provider."
    BadAlgorithm "bad_algorithm" "The token is signed with an algorithm that is not secure, or that the provider's metadata does not list."
    UnknownKey "unknown_key" "The token is signed with a key that is not among the provider's keys, or fits more than one of them."
    BadSignature "bad_signature" "The token was not signed by the provider, or was changed after signing."
    AnotherAudience "another_audience" "The token is meant for another client. Check the client ID."
    NoTime "no_time" "The token does not say when it was issued, or until when it is valid."
    TooOld "too_old" "The token has expired, or is older than the request. Check the clocks."
    TooNew "too_new" "The token was issued in the future, or is not valid yet. Check the clocks."
    AnotherNonce "another_nonce" "The token answers another request than the one this browser made."
    AnotherAccessToken "another_access_token" "The token belongs to another access token than the one that came with it."
    NoSubject "no_name" "The claim that identifies people is missing, empty, too long, or not plain text."
    NotAgain "not_again" "The provider did not say that the person signed in again just now."
    AnotherPerson "another_person" "The provider speaks of another person than before."
    AnotherDomain "another_domain" "The account does not belong to a domain that may sign in here."
    // User information.
    BadUserinfo "bad_userinfo" "The provider's answer about the person cannot be read. It has to be JSON, not a signed token."
    // A logout token.
    NotALogout "not_a_logout" "The token is not a logout token as OpenID Connect prescribes."
    // The metadata of a provider, and its keys.
    BadIssuer "bad_issuer" "The issuer has to be an address that begins with https, without a question mark or a number sign."
    TooLarge "too_large" "The document is larger than it needs to be."
    WebPage "web_page" "This is a web page, not metadata. The issuer may be another address."
    NotMetadata "not_metadata" "The document is not the metadata of an OpenID provider."
    BadEndpoint "bad_endpoint" "An address in the metadata is missing, or does not begin with https."
    NoCommonAlgorithm "no_common_algorithm" "The provider signs its tokens with no algorithm that can be read here."
    NoCommonAuthentication "no_common_authentication" "The provider does not take a client secret, which is the only way to authenticate from here."
    NotKeys "not_keys" "The document does not hold the keys of a provider."
    NoUsableKey "no_usable_key" "None of the provider's keys can be used: RSA from 2048 bits on, P-256, P-384 or Ed25519."
    // Our own key.
    BadPrivateKey "bad_private_key" "The private key is not a P-256 key in PEM, as the provider hands it out."
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.sentence())
    }
}

impl std::error::Error for Reason {}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

//! Why a document was refused: one name and one sentence each.
//!
//! The sentences are for the person who connects the identity provider and for the operator. The end user
//! only gets a generic error: details would help a forger, and could be a padding oracle.

use std::fmt;

use serde::{Serialize, Serializer};

/// Writes the enum, its names and its sentences from one table, so that none can be forgotten.
macro_rules! reasons {
    ($($reason:ident $code:literal $sentence:literal)*) => {
        /// Why a response, or the metadata of an identity provider, is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $sentence] $reason,)*
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Reason] = &[$(Reason::$reason),*];

            /// A short stable name, for logs and for the list of attempts.
            pub fn code(self) -> &'static str {
                match self { $(Reason::$reason => $code,)* }
            }

            /// What is wrong, in a sentence for whoever runs the connection.
            pub fn sentence(self) -> &'static str {
                match self { $(Reason::$reason => $sentence,)* }
            }
        }
    };
}

reasons! {
    // The gate: the shape of the text.
    TooLarge "too_large" "The document is larger than SAML needs."
    NotBase64 "not_base64" "The response is not valid base64."
    NotUtf8 "not_utf8" "The document is not UTF-8 text."
    Malformed "malformed" "The document is not well-formed XML."
    Doctype "doctype" "The document carries a document type declaration, which SAML never needs."
    Instruction "instruction" "The document carries a processing instruction, which SAML never needs."
    LateDeclaration "late_declaration" "Something stands before the XML declaration, which must be the first line."
    Comment "comment" "The document carries a comment, which can hide part of a name."
    Cdata "cdata" "The document carries a CDATA section, which can hide part of a name."
    Entity "entity" "The document refers to an entity that XML itself does not define."
    TooDeep "too_deep" "The document's elements are nested too deeply."
    TooManyElements "too_many_elements" "The document has too many elements."
    TooManyXmlAttributes "too_many_xml_attributes" "The document, or an element of it, has too many XML attributes."
    TooManyDeclarations "too_many_declarations" "The document declares too many namespaces inside each other."
    NamespaceName "namespace_name" "A namespace of the document is not named by an absolute URI."
    AfterTheRoot "after_the_root" "Something follows the end of the document."
    // The gate: the shape of a response.
    NotAResponse "not_a_response" "The document is not a SAML 2.0 response."
    WrongVersion "wrong_version" "The response or its assertion is not of SAML version 2.0."
    NoAssertion "no_assertion" "The response carries no assertion."
    ManyAssertions "many_assertions" "The response carries more than one assertion."
    MisplacedAssertion "misplaced_assertion" "An assertion or a response lies where none belongs."
    TooManyAttributes "too_many_attributes" "The assertion carries more than 200 attributes."
    MissingId "missing_id" "The response or its assertion has no usable ID."
    DuplicateId "duplicate_id" "Two elements carry the same ID."
    MisplacedSignature "misplaced_signature" "A signature lies where none belongs, or there are too many."
    SignatureShape "signature_shape" "A signature is not put together as SAML prescribes."
    SignatureObject "signature_object" "A signature carries an object, which SAML never needs."
    ForeignReference "foreign_reference" "A reference leads to something other than the element that carries the signature."
    SignatureAlgorithm "signature_algorithm" "The signature algorithm is not RSA or ECDSA with SHA-256, SHA-384 or SHA-512."
    RsaPss "rsa_pss" "The signature is RSA-PSS, which cannot be read here. Set RSA-SHA256 at the identity provider."
    DigestAlgorithm "digest_algorithm" "The digest algorithm of a signature is not SHA-256, SHA-384 or SHA-512."
    Canonicalization "canonicalization" "A signature is not made over exclusive canonical XML with at most ten prefixes."
    Transform "transform" "A signature does not use exactly the transforms enveloped signature and exclusive canonical XML, with at most ten prefixes."
    // Opening what is encrypted.
    EncryptionShape "encryption_shape" "What is encrypted is not put together as SAML prescribes."
    EncryptionAlgorithm "encryption_algorithm" "The assertion or the name is not encrypted with AES-128 or AES-256, in CBC or GCM mode."
    KeyTransport "key_transport" "The key of the encrypted assertion or name is not sent with RSA-OAEP."
    NoDecryptionKey "no_decryption_key" "The assertion or the name is encrypted, and we have no key to open it."
    Undecryptable "undecryptable" "The encrypted assertion or name does not open with our keys."
    // The signature.
    NoSigningCertificate "no_signing_certificate" "The identity provider's metadata names no signing certificate."
    CertificateNotYetValid "certificate_not_yet_valid" "The certificate that signed is not valid yet."
    CertificateExpired "certificate_expired" "The certificate that signed has expired."
    Unsigned "unsigned" "Neither the response nor the assertion is signed."
    KeyKind "key_kind" "The signature is of a kind that none of the identity provider's certificates can make."
    BadSignature "bad_signature" "The signature was not made by the identity provider, or the document was changed after signing."
    // What was said.
    StatusFailed "status_failed" "The identity provider reports that the sign-in did not succeed."
    WrongIssuer "wrong_issuer" "The response does not come from the identity provider that was asked."
    NoDestination "no_destination" "The signed response does not say where it is meant to go."
    WrongDestination "wrong_destination" "The response is meant for another address than our callback."
    Unsolicited "unsolicited" "The response answers no request of ours."
    WrongRequest "wrong_request" "The response answers another request than the one this browser made."
    IssuedInTheFuture "issued_in_the_future" "The response or its assertion was issued in the future. Check the clocks."
    IssuedBeforeTheRequest "issued_before_the_request" "The response or its assertion is older than the request it answers."
    NoConditions "no_audience" "The assertion does not say whom it is for."
    WrongAudience "wrong_audience" "The assertion is meant for another service."
    UnknownCondition "unknown_condition" "The assertion depends on a condition that we do not know."
    NotYetValid "not_yet_valid" "The assertion is not valid yet. Check the clocks."
    Expired "expired" "The assertion has expired. Check the clocks."
    NoBearer "no_bearer" "The assertion carries no confirmation that its bearer may use it."
    NoRecipient "no_recipient" "The confirmation does not say where the assertion may be delivered."
    WrongRecipient "wrong_recipient" "The assertion may be delivered to another address only."
    NoConfirmationTime "no_confirmation_time" "The confirmation does not say until when it may be used."
    ConfirmationNotYetValid "confirmation_not_yet_valid" "The confirmation is not valid yet. Check the clocks."
    ConfirmationExpired "confirmation_expired" "The confirmation has expired. Check the clocks."
    NoStatement "no_statement" "The assertion does not say that anyone signed in."
    SignedInInTheFuture "signed_in_in_the_future" "The assertion speaks of a sign-in in the future. Check the clocks."
    SignedInTooLongAgo "signed_in_too_long_ago" "The identity provider did not ask the person to sign in again."
    SessionOver "session_over" "The identity provider's session is over already."
    NoName "no_name" "The assertion names nobody."
    BadName "bad_name" "The name in the assertion is empty, too long, or not plain text."
    NameFormat "name_format" "The NameID is neither persistent nor an email address, so it may mean another person tomorrow."
    NoIdentifier "no_identifier" "The attribute that identifies people at this connection did not come."
    ManyValues "many_values" "An attribute that identifies the person has more than one value."
    UnreadableTime "unreadable_time" "A time in the response is missing or not readable."
    UnreadableContent "unreadable_content" "The assertion is not put together as SAML prescribes."
    // A logout.
    NotALogout "not_a_logout" "The document is not a SAML 2.0 logout request."
    LogoutOver "logout_over" "The logout request is too old. Check the clocks."
    // Metadata of an identity provider.
    NoMetadata "no_metadata" "Add the metadata of your identity provider."
    NotMetadata "not_metadata" "The document is not the SAML metadata of one identity provider."
    WebPage "web_page" "This is a web page, not metadata. The link may lead to a sign-in page."
    OnlyCertificate "only_certificate" "This is only a certificate. Enter it by hand, with the entity ID and the sign-in address."
    DescribesService "describes_service" "This describes a service, perhaps this site itself. The metadata of your identity provider is needed."
    ManyProviders "many_providers" "The document describes several identity providers. Enter the entity ID of yours."
    ManyCertificates "many_certificates" "The metadata names more than ten certificates."
    UnreadableValidUntil "unreadable_valid_until" "The validUntil of the metadata is not a time."
    NoEntityId "no_entity_id" "The metadata does not name the identity provider, or with more than 1,024 characters."
    NoSignInAddress "no_sign_in_address" "The metadata names no address for signing in that we can use."
    BadCertificate "bad_certificate" "A certificate in the metadata cannot be read."
    WeakCertificate "weak_certificate" "A certificate in the metadata has a key that is too weak or of an unknown kind."
    MetadataExpired "metadata_expired" "The metadata was valid only until a time that is past."
    // Ourselves.
    Busy "busy" "Too many responses were being read at once."
    TookTooLong "took_too_long" "Reading the response took too long."
    Broken "broken" "Reading the response failed inside our program."
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

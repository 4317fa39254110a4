//! What is wrong with the inputs of a form, in sentences.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// What is wrong with which input: field name → sentences, in the order they were found. The field `form` stands for
/// the whole form.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Errors(Vec<(Cow<'static, str>, Vec<String>)>, Option<i64>);

impl Errors {
    /// Adds a sentence to a field.
    pub(crate) fn add(&mut self, field: impl Into<Cow<'static, str>>, sentence: impl Into<String>) {
        let field = field.into();
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, sentences)) => sentences.push(sentence.into()),
            None => self.0.push((field, vec![sentence.into()])),
        }
    }

    /// One sentence about one field.
    pub(crate) fn one(field: impl Into<Cow<'static, str>>, sentence: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, sentence);
        errors
    }

    /// One sentence about the whole form, which may be sent again in so many seconds, where that is known.
    pub(crate) fn waiting(sentence: impl Into<String>, seconds: Option<i64>) -> Self {
        Self { 1: seconds, ..Self::one("form", sentence) }
    }

    /// Seconds until the form may be sent again, where that is what is wrong.
    pub(crate) fn wait(&self) -> Option<i64> {
        self.1
    }

    /// The sentences about one field.
    pub(crate) fn of(&self, field: &str) -> &[String] {
        self.0.iter().find(|(name, _)| *name == field).map_or(&[], |(_, sentences)| sentences)
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every field that has something wrong, with its sentences.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(field, sentences)| (field.as_ref(), sentences.as_slice()))
    }

    /// Whether what is wrong is told in a summary: more than one field, or something that is no field.
    pub(crate) fn need_summary(&self) -> bool {
        self.0.len() > 1 || self.0.iter().any(|(field, _)| !Self::is_field(field))
    }

    /// Whether this field alone is wrong: then it is told beside the field, which gets the focus.
    pub(crate) fn is_only(&self, field: &str) -> bool {
        Self::is_field(field) && matches!(self.0.as_slice(), [(only, _)] if only == field)
    }

    /// The sentence, where there is one only.
    pub(crate) fn only_sentence(&self) -> Option<&str> {
        match self.0.as_slice() {
            [(_, sentences)] if sentences.len() == 1 => sentences.first().map(String::as_str),
            _ => None,
        }
    }

    /// Whether a person can see and mend this field: the others are a form's own.
    pub(crate) fn is_field(field: &str) -> bool {
        !["form", "token", "next", "resume"].contains(&field)
    }

    /// The first sentence: it stands for the whole where nobody looks at the fields.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.iter().flat_map(|(_, sentences)| sentences).next().map(String::as_str)
    }
}

impl Serialize for Errors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, sentences)| (field, sentences.join(" "))))
    }
}

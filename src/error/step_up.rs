//! The refusal of what needs a step-up.

use crate::kinds::Strength;

/// How somebody can confirm that it is them, and what goes on afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    /// The methods of this account that are strong enough.
    pub methods: Vec<&'static str>,
    /// How strong it has to be.
    pub strength: Strength,
    /// The secret of the interrupted form, where there was one.
    pub resume: Option<String>,
}

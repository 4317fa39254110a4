//! Spans that are right each by itself, and do not go together.

use super::{
    SETTINGS,
    values::{Reader, parse_span},
};

/// `less` may not be more than `more`.
struct Pair {
    less: &'static str,
    more: &'static str,
    /// Whether they may be equal.
    may_meet: bool,
    /// Whether a default of `less` that is too large does no harm: the other one ends it sooner.
    gives_way: bool,
}

const fn within(less: &'static str, more: &'static str) -> Pair {
    Pair { less, more, may_meet: true, gives_way: true }
}

/// What has to happen before the end, to be of any use.
const fn before(less: &'static str, more: &'static str) -> Pair {
    Pair { less, more, may_meet: false, gives_way: false }
}

const PAIRS: &[Pair] = &[
    within("SESSION_IDLE", "SESSION_LIFE"),
    within("REMEMBER_IDLE", "REMEMBER_LIFE"),
    // A remembered device stays signed in at least as long as another.
    within("SESSION_IDLE", "REMEMBER_IDLE"),
    within("SESSION_LIFE", "REMEMBER_LIFE"),
    within("STEP_UP_WINDOW", "SESSION_LIFE"),
    within("VERIFY_LINK_LIFE", "UNCONFIRMED_LIFE"),
    before("UNCONFIRMED_WARNING", "UNCONFIRMED_LIFE"),
    before("DELETION_REMINDER", "DELETION_GRACE"),
];

impl Reader {
    /// Refuses pairs of settings of which one makes nonsense of the other.
    pub(crate) fn compare_pairs(&mut self) {
        for pair in PAIRS {
            let (Some((less, less_is_set)), Some((more, more_is_set))) =
                (self.or_default(pair.less), self.or_default(pair.more))
            else {
                continue;
            };
            // What cannot be read is told already.
            let (Some(low), Some(high)) = (parse_span(&less), parse_span(&more)) else { continue };
            let fits = low < high || low == high && pair.may_meet;
            if fits || pair.gives_way && !less_is_set {
                continue;
            }
            let (relation, limit) = match pair.may_meet {
                true => ("more than", format!("{more} at most")),
                false => ("not less than", format!("less than {more}")),
            };
            self.problems.push(format!(
                "{} is `{less}`{}, {relation} {}, which is `{more}`{}. Write {limit}, or more for {}.",
                pair.less,
                by_default(less_is_set),
                pair.more,
                by_default(more_is_set),
                pair.more
            ));
        }
    }

    /// What a setting is, and whether somebody wrote it.
    fn or_default(&self, name: &str) -> Option<(String, bool)> {
        let default = || SETTINGS.iter().find(|setting| setting.name == name).map(|it| it.default.to_owned());
        self.text(name).map(|text| (text, true)).or_else(|| default().map(|text| (text, false)))
    }
}

fn by_default(is_set: bool) -> &'static str {
    if is_set { "" } else { " by default" }
}

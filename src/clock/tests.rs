use super::*;

#[test]
fn spans_read_in_their_largest_whole_unit() {
    let told = [
        (86_400, "24 hours"),
        (172_800, "2 days"),
        (3_600, "1 hour"),
        (5_400, "90 minutes"),
        (45, "45 seconds"),
    ];
    for (seconds, words) in told {
        assert_eq!(span_in_words(TimeDelta::seconds(seconds)), words);
    }
}

#[test]
fn a_moment_is_read_from_sqlite_as_it_was_written() {
    let noon = Timestamp::from_unix(1_795_269_900).0;
    for micros in [0, 1, 120_000, 123_456, 999_999] {
        let moment = noon + TimeDelta::microseconds(micros);
        let written = Timestamp(moment).in_sqlite();
        assert_eq!(written, moment.format("%F %T%.f").to_string(), "as diesel writes it");
        assert_eq!(parse(written.as_bytes()), Some(moment));
    }
    assert_eq!(parse(b"2026-11-21 14:05:00.5"), Some(noon + TimeDelta::milliseconds(500)));
    let others = [
        "",
        "2026-11-21",
        "2026-11-21T14:05:00",
        "2026-11-21 14:05:00Z",
        "2026-11-21 14:05:00.",
        "2026-11-21 14:05:00.1234567890",
        "2026-13-21 14:05:00",
        "2026-11-21 24:05:00",
        "2026-11-+1 14:05:00",
    ];
    for text in others {
        assert_eq!(parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn times_read_as_a_person_says_them() {
    let now = Timestamp::from_unix(1_795_269_900); // 21 November 2026, 14:05 UTC
    let told = |span: TimeDelta| (now - span).ago(now);
    assert_eq!(told(TimeDelta::seconds(20)), "just now");
    assert_eq!(told(TimeDelta::minutes(1)), "1 minute ago");
    assert_eq!(told(TimeDelta::minutes(59)), "59 minutes ago");
    assert_eq!(told(TimeDelta::hours(2)), "today at 12:05 UTC");
    assert_eq!(told(TimeDelta::hours(20)), "yesterday at 18:05 UTC");
    assert_eq!(told(TimeDelta::days(3)), "3 days ago");
    assert_eq!(told(TimeDelta::days(30)), "on 22 October");
    assert_eq!(told(TimeDelta::days(400)), "on 17 Oct 2025");
    assert_eq!(now.iso(), "2026-11-21T14:05:00Z");
    assert_eq!(now.exact(), "21 November 2026, 14:05 UTC");
}

#[test]
fn any_moment_is_spelled_as_chrono_spells_it() {
    for year in [-1, 0, 7, 999, 1970, 2026, 9_999, 10_000] {
        for (month, day) in [(1, 1), (2, 28), (10, 9), (12, 31)] {
            let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
            for (hour, minute, second) in [(0, 0, 0), (9, 8, 7), (23, 59, 59)] {
                let moment = date.and_hms_opt(hour, minute, second).unwrap();
                assert_eq!(Timestamp(moment).iso(), format!("{moment:?}Z"));
                assert_eq!(Timestamp(moment).in_sqlite(), moment.to_string());
            }
        }
    }
}

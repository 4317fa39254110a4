use super::*;

const KEY: &str = "a key that is long enough to be a secret key";
const OLDER: &str = "an older key, long enough to be a secret key";

fn hasher(cost: u32, current: &str, previous: &[String]) -> Hasher {
    Hasher::start(1, 4, cost, Keys::derive(current, previous).unwrap()).unwrap()
}

#[tokio::test]
async fn a_job_that_panics_is_an_error_and_its_thread_goes_on() {
    let hasher = hasher(4, KEY, &[]);
    for _ in 0..3 {
        let outcome = hasher.run::<()>(None, || panic!("in the middle of a hash")).await;
        assert!(matches!(outcome, Err(Error::Internal(cause)) if cause.is::<log::Panicked>()));
    }
    hasher.hash(Password::new("any")).await.unwrap();
    assert_eq!(hasher.gauge().in_hand(), 0);
}

#[tokio::test]
async fn a_password_beyond_72_bytes_is_not_cut() {
    let hasher = hasher(4, KEY, &[]);
    let long = "é".repeat(100);
    let hash = hasher.hash(Password::new(&long)).await.unwrap();
    let offer =
        async |text: &str| hasher.verify(Password::new(text), [Some(hash.clone())]).await.unwrap().matched;
    assert_eq!(offer(&long).await, Some(0));
    assert_eq!(offer(&format!("{long}x")).await, None);
    assert_eq!(offer(&"é".repeat(99)).await, None);
}

#[tokio::test]
async fn a_nul_is_a_character_like_any_other() {
    let hasher = hasher(4, KEY, &[]);
    let hash = hasher.hash(Password::new("before\0after")).await.unwrap();
    let verdict = hasher.verify(Password::new("before\0other"), [Some(hash)]).await.unwrap();
    assert_eq!(verdict.matched, None);
}

#[tokio::test]
async fn the_same_letters_composed_differently_are_the_same_password() {
    let hasher = hasher(4, KEY, &[]);
    let hash = hasher.hash(Password::new("caf\u{e9} noir")).await.unwrap();
    let verdict = hasher.verify(Password::new("cafe\u{301} noir"), [Some(hash)]).await.unwrap();
    assert_eq!(verdict.matched, Some(0));
}

#[tokio::test]
async fn nobody_is_a_hash_that_no_password_fits() {
    let hasher = hasher(4, KEY, &[]);
    let verdict = hasher.verify(Password::new("anything"), [None, None]).await.unwrap();
    assert_eq!(verdict, Verdict { matched: None, is_outdated: false });
}

#[test]
fn the_dummy_is_a_hash_that_bcrypt_works_on() {
    assert!(bcrypt::verify("anything", &dummy(4)).is_ok_and(|fits| !fits));
}

#[tokio::test]
async fn a_weaker_hash_or_an_older_key_still_fits_and_is_outdated() {
    let older = hasher(4, OLDER, &[]);
    let hash = older.hash(Password::new("correct horse")).await.unwrap();
    let now = hasher(5, KEY, &[OLDER.to_owned()]);
    let verdict = now.verify(Password::new("correct horse"), [Some(hash.clone())]).await.unwrap();
    assert_eq!(verdict, Verdict { matched: Some(0), is_outdated: true });
    let without = hasher(5, KEY, &[]);
    let verdict = without.verify(Password::new("correct horse"), [Some(hash)]).await.unwrap();
    assert_eq!(verdict.matched, None, "a key that is gone fits nothing");
}

#[tokio::test]
async fn only_a_weaker_hash_is_outdated() {
    let made = hasher(5, KEY, &[]).hash(Password::new("correct horse")).await.unwrap();
    for (cost, is_outdated) in [(4, false), (5, false), (6, true)] {
        let now = hasher(cost, KEY, &[]);
        let verdict = now.verify(Password::new("correct horse"), [Some(made.clone())]).await.unwrap();
        assert_eq!(verdict, Verdict { matched: Some(0), is_outdated }, "made at 5, now {cost}");
    }
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let hasher = hasher(8, KEY, &[]);
    let tries = (0..40).map(|_| hasher.verify(Password::new("anything"), [None]));
    let answers = futures_util::future::join_all(tries).await;
    assert!(answers.iter().any(|answer| matches!(answer, Err(Error::Busy))));
    assert!(answers.iter().any(|answer| answer.is_ok()));
    assert_eq!(hasher.gauge().in_hand(), 0);
}

#[test]
fn nobody_is_let_in_who_would_wait_for_more_than_five_seconds() {
    let quarter = Duration::from_millis(250);
    for (in_hand, threads, lately, is_let_in) in [
        (0, 1, Duration::ZERO, true),
        (256, 1, Duration::ZERO, true),
        (20, 1, quarter, true),
        (21, 1, quarter, false),
        (41, 2, quarter, true),
        (42, 2, quarter, false),
        (167, 8, quarter, true),
        (168, 8, quarter, false),
        // A thread is free, however long it takes.
        (0, 1, Duration::from_secs(60), true),
        (1, 2, Duration::from_secs(60), true),
        (2, 2, Duration::from_secs(60), false),
        (1, 1, Duration::from_secs(5), true),
        (1, 1, Duration::from_millis(5_001), false),
        (usize::MAX - 1, 1, Duration::MAX, false),
    ] {
        let wait = probable_wait(in_hand, threads, lately);
        assert_eq!(wait <= LONGEST_WAIT, is_let_in, "{in_hand} in hand, {threads} threads, {lately:?}");
    }
}

#[tokio::test]
async fn a_queue_that_became_slow_is_refused_until_it_is_quick_again() {
    let hasher = hasher(4, KEY, &[]);
    hasher.gauge.note(Duration::from_secs(6));
    let (free, blocked) = std::sync::mpsc::channel::<()>();
    let running = tokio::spawn({
        let hasher = hasher.clone();
        async move { hasher.run(None, move || Ok(blocked.recv().is_ok())).await }
    });
    while hasher.gauge.in_hand() == 0 {
        tokio::task::yield_now().await;
    }

    let refused = hasher.hash(Password::new("any")).await;

    assert!(matches!(refused, Err(Error::Busy)));
    free.send(()).unwrap();
    assert!(running.await.unwrap().unwrap());
    for _ in 0..4 {
        hasher.hash(Password::new("any")).await.unwrap();
    }
    assert!(hasher.gauge.lately() < LONGEST_WAIT);
}

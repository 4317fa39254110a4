//! Where what a command prints goes nowhere: a reader that has gone is no fault, a full disk is one, and neither is a panic.

use std::{
    fs::File,
    io,
    process::{Command, Stdio},
};

use crate::harness::{CommandOutput, TestApp, program};

const ADA: &str = "ada@example.com";

/// A pipe whose reader has gone.
fn closed_pipe() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full_disk() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

fn run(app: &TestApp, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> CommandOutput {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env_clear()
        .envs(&app.settings)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr);
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    CommandOutput {
        code: output.status.code(),
        out: String::new(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every command that prints, in an order in which each has something to do; and how it ends when it is heard.
const COMMANDS: [(&[&str], i32); 30] = [
    (&["--help"], 0),
    (&["--version"], 0),
    (&["user", "--help"], 0),
    (&["migrate"], 0),
    (&["seed"], 0),
    (&["seed", "--json"], 0),
    (&["jobs", "list"], 0),
    (&["jobs", "list", "--json"], 0),
    (&["jobs", "run"], 0),
    (&["jobs", "run", "sweep"], 0),
    (&["jobs", "run", "outbox"], 0),
    (&["user", "list"], 0),
    (&["user", "list", "--json"], 0),
    (&["user", "show", ADA], 0),
    (&["user", "show", ADA, "--json"], 0),
    (&["user", "sign-out", ADA], 0),
    (&["user", "lock", ADA], 0),
    (&["user", "unlock", ADA, "--json"], 0),
    (&["user", "hold", ADA, "--reason", "A court"], 0),
    (&["user", "hold", ADA, "--release"], 0),
    (&["user", "delete", ADA], 0),
    (&["user", "delete", "ben@example.com", "--now"], 0),
    (&["sso", "list"], 0),
    (&["sso", "list", "--json"], 0),
    (&["sso", "key", "announce"], 0),
    (&["doctor"], 0),
    (&["doctor", "--json"], 0),
    (&["limits", "list", "--json"], 0),
    (&["limits", "clear", "--all"], 0),
    (&["session", "revoke-all", "--yes"], 0),
];

async fn app_with_something_to_do() -> TestApp {
    let app = TestApp::today_with(&[("THROTTLE", "on")]).await;
    app.verified(ADA).await;
    app.verified("ben@example.com").await;
    app.verified("dan@example.com").await;
    app
}

#[actix_web::test]
async fn a_reader_that_has_gone_ends_no_command_with_a_word_or_before_its_work_is_done() {
    let app = app_with_something_to_do().await;
    for (arguments, code) in COMMANDS {
        let output = run(&app, arguments, closed_pipe(), Stdio::piped());
        assert_eq!((output.code, output.err.as_str()), (Some(code), ""), "{arguments:?}");
    }
    // All of it happened, also what came after the first line.
    assert_eq!(app.count("users WHERE email = 'cleo@example.com'").await, 1);
    assert_eq!(app.count("users WHERE email = 'ben@example.com'").await, 0);
    assert_eq!(app.count("sessions").await, 0);
    assert_eq!(app.count("throttles WHERE key LIKE 'sign-up:%'").await, 0, "they count for an hour");
}

#[actix_web::test]
async fn a_full_disk_is_told_in_a_sentence_and_the_work_is_done_all_the_same() {
    let app = app_with_something_to_do().await;
    for (arguments, _) in COMMANDS {
        let output = run(&app, arguments, full_disk(), Stdio::piped());
        assert_eq!(output.code, Some(1), "{arguments:?}: {output:?}");
        assert!(
            output.err.contains("could not be written to stdout: no storage space"),
            "{arguments:?}: {output:?}"
        );
        assert!(!output.err.contains("panicked"), "{arguments:?}: {output:?}");
    }
    assert_eq!(app.count("sessions").await, 0);
}

#[actix_web::test]
async fn a_refusal_that_nobody_can_read_is_a_refusal() {
    let app = TestApp::today().await;
    for (arguments, code) in [
        (&["jobs", "run", "laundry"][..], 1),
        (&["jobs", "retry"], 1),
        (&["user", "lock", "nobody@example.com"], 1),
        (&["limits", "clear", "--all"], 1),
        (&["session", "revoke-all", "--yes"], 1),
        (&["dance"], 2),
    ] {
        for (stdout, stderr) in
            [(closed_pipe(), closed_pipe()), (full_disk(), full_disk()), (closed_pipe(), full_disk())]
        {
            let output = run(&app, arguments, stdout, stderr);
            assert_eq!(output.code, Some(code), "{arguments:?}");
        }
    }
}

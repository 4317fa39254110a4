//! Where the text of a setting comes from: the environment, the file of settings, or, where it is secret, a file of its own.
//!
//! A secret setting `NAME` is also read from the file that `NAME_FILE` names, and from `$CREDENTIALS_DIRECTORY/name`, where
//! systemd puts it. Files are read once, at start.

use rustix::fs::{StatVfsMountFlags, statvfs};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{SETTINGS, settings::provider_keys};

/// The setting that says which names of providers there are.
pub(super) const PROVIDERS: &str = "OIDC_PROVIDERS";

const LARGEST: u64 = 64 * 1024;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nowhere.
    Default,
    /// In the environment.
    Environment,
    /// In the file of settings.
    Settings(PathBuf),
    /// In the file that `NAME_FILE` names.
    File(PathBuf),
    /// In the folder of credentials.
    Credential(PathBuf),
}

impl Source {
    /// Its kind in a word, and the file where there is one.
    pub(crate) fn parts(&self) -> (&'static str, Option<&Path>) {
        match self {
            Source::Default => ("default", None),
            Source::Environment => ("environment", None),
            Source::Settings(path) => ("settings", Some(path)),
            Source::File(path) => ("file", Some(path)),
            Source::Credential(path) => ("credential", Some(path)),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            ("settings", Some(path)) => write!(out, "the file of settings {}", path.display()),
            (kind, Some(path)) => write!(out, "the {kind} {}", path.display()),
            (kind, None) => out.write_str(kind),
        }
    }
}

/// Texts by the name of the setting, each with where it was written.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    written: BTreeMap<String, (String, Source)>,
    credentials: Option<PathBuf>,
    problems: Vec<String>,
    unreadable: BTreeSet<String>,
    libpq: Vec<&'static str>,
}

/// The same once the files are read.
pub(crate) struct Resolved {
    /// Texts by name.
    pub values: BTreeMap<String, String>,
    /// Where each was written.
    pub sources: BTreeMap<String, Source>,
    /// A sentence for each file that is of no use.
    pub problems: Vec<String>,
    /// The settings that those files were to set.
    pub unreadable: BTreeSet<String>,
    /// What is set for libpq.
    pub libpq: Vec<&'static str>,
}

impl Sources {
    /// Notes what was written; a later source wins over an earlier one.
    pub(crate) fn write(&mut self, name: impl Into<String>, text: impl Into<String>, source: Source) {
        self.written.insert(name.into(), (text.into(), source));
    }

    /// Notes that libpq would take this variable where the address says nothing of it.
    pub(crate) fn note_libpq(&mut self, name: &'static str) {
        self.libpq.push(name);
    }

    /// The folder where systemd puts credentials.
    pub(crate) fn look_for_credentials(&mut self, folder: PathBuf) {
        self.credentials = Some(folder);
    }

    /// Reads the files of what is secret.
    pub(crate) fn resolve(mut self) -> Resolved {
        let in_production =
            self.text("MODE").is_some_and(|mode| mode.trim().eq_ignore_ascii_case("production"));
        let keys = self.provider_keys();
        let secrets = SETTINGS.iter().filter(|setting| setting.is_secret);
        for name in secrets.flat_map(|setting| setting.names(&keys)) {
            if let Err(problem) = self.resolve_one(&name, in_production) {
                self.problems.push(problem);
                self.unreadable.insert(name);
            }
        }
        let (mut values, mut sources) = (BTreeMap::new(), BTreeMap::new());
        for (name, (text, source)) in self.written {
            sources.insert(name.clone(), source);
            values.insert(name, text);
        }
        Resolved { values, sources, problems: self.problems, unreadable: self.unreadable, libpq: self.libpq }
    }

    /// The keys of providers that have settings of their own.
    pub(super) fn provider_keys(&self) -> Vec<String> {
        provider_keys(self.text(PROVIDERS).unwrap_or_default())
    }

    /// What was written under a name, unless it is blank.
    fn text(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(|(text, _)| text.as_str()).filter(|text| !text.trim().is_empty())
    }

    fn resolve_one(&mut self, name: &str, in_production: bool) -> Result<(), String> {
        let by_name = file_setting(name);
        let named = self.text(&by_name).map(|path| PathBuf::from(path.trim()));
        self.written.remove(&by_name);
        let credential = self.credential(name);
        let is_the_same = named.is_some() && same_file(named.as_deref(), credential.as_deref());
        let (path, source, begins) = match (self.text(name), named, credential.filter(|_| !is_the_same)) {
            (None, None, None) | (Some(_), None, None) => return Ok(()),
            (None, Some(path), None) => {
                let begins = format!("{by_name} is `{}`", path.display());
                (path.clone(), Source::File(path), begins)
            }
            (None, None, Some(path)) => {
                let begins = format!("{name} is the credential `{}`", path.display());
                (path.clone(), Source::Credential(path), begins)
            }
            (Some(_), Some(_), _) => {
                return Err(format!("{name} and {by_name} are both set. Leave one of them out."));
            }
            (text, _, Some(path)) => {
                let set = if text.is_some() { name } else { &by_name };
                let path = path.display();
                return Err(format!(
                    "{set} is set, and there is the credential `{path}` too. Leave one of them out."
                ));
            }
        };
        let text = read_secret(&path, in_production).map_err(|why| format!("{begins}, {why}"))?;
        self.write(name, text, source);
        Ok(())
    }

    /// The credential of a setting: a file of the same name, in lower case as systemd's units write it, or as it is.
    fn credential(&self, name: &str) -> Option<PathBuf> {
        let folder = self.credentials.as_ref()?;
        [name.to_lowercase(), name.to_owned()]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|path| path.exists())
    }
}

/// The setting that names the file of a secret one.
pub(crate) fn file_setting(name: &str) -> String {
    format!("{name}_FILE")
}

fn same_file(one: Option<&Path>, other: Option<&Path>) -> bool {
    let real = |path: Option<&Path>| path.and_then(|path| path.canonicalize().ok());
    real(one).is_some() && real(one) == real(other)
}

/// What a file holds, but for one newline at its end. The error goes on after a comma.
fn read_secret(path: &Path, in_production: bool) -> Result<String, String> {
    let unreadable = |cause| {
        format!("which cannot be read ({cause}). Write the path of a file that this program may read.")
    };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    let mode = about.permissions().mode() & 0o777;
    if about.is_dir() {
        return Err("which is a folder. Write the path of the file in it.".to_owned());
    }
    // On a mount that is read-only nobody changes a mode: whoever mounted it, as containers are given secrets, let in whom
    // they meant.
    let is_mounted = || statvfs(path).is_ok_and(|at| at.f_flag.contains(StatVfsMountFlags::RDONLY));
    if in_production && about.is_file() && mode & 0o004 != 0 && !is_mounted() {
        return Err(format!(
            "which everybody on this machine can read (mode {mode:04o}). Run `chmod 600 {}`, or mount it read-only, or with the \
             mode 0440 and the group of this program.",
            path.display()
        ));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(
            "which is larger than 64 KiB: no secret is. Write the path of the file that holds it.".to_owned()
        );
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let text = text.ok_or("which is not text in UTF-8. Put the secret into it as text.")?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    match text.trim().is_empty() {
        true => Err("which is empty. Put the secret into it.".to_owned()),
        false => Ok(text.to_owned()),
    }
}

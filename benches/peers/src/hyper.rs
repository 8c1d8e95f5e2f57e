//! hyper 1 with the client of hyper-util, which keeps connections, and hyper-rustls: a task for each
//! request that may be under way, on the runtime's own number of threads.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::{Job, Load, Mode};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Works the load off.
pub fn run(client: &str) {
    crate::run(client, |load| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let work = async {
            if load.ca.is_none() {
                return all(load, tcp).await;
            }
            tcp.enforce_http(false);
            let builder = HttpsConnectorBuilder::new().with_tls_config(load.rustls());
            all(load, builder.https_only().enable_http1().wrap_connector(tcp)).await;
        };
        runtime.expect("a runtime").block_on(work);
    });
}

async fn all<C: Connect + Clone + Send + Sync + 'static>(load: &'static Load, connector: C) {
    let mut builder = Client::builder(TokioExecutor::new());
    if load.close {
        builder.pool_max_idle_per_host(0);
    }
    let client: Client<C, Empty<Bytes>> = builder.build(connector);
    let tasks: Vec<_> = (0..load.threads)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                while let Some(job) = load.take() {
                    let began = Instant::now();
                    match get(load, &client, job).await {
                        Ok((status, bytes)) => load.answered(job, status, bytes, began.elapsed()),
                        Err(error) => load.failed(error),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task that ends");
    }
}

async fn get<C: Connect + Clone + Send + Sync + 'static>(
    load: &Load,
    client: &Client<C, Empty<Bytes>>,
    job: &Job,
) -> Result<(u16, u64), AnyError> {
    let mut request = Request::get(&job.url);
    if load.close {
        request = request.header("connection", "close");
    }
    let response = client.request(request.body(Empty::new())?).await?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    if load.mode == Mode::Discard {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        return Ok((status, length as u64));
    }
    Ok((status, body.collect().await?.to_bytes().len() as u64))
}

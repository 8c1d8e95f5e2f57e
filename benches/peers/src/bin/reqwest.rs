//! reqwest's own client, the async one: a task for each request that may be under way.

use std::time::Instant;

use fetchpool_peers::{Job, Load, Mode};
use reqwest::Client;

fn main() {
    fetchpool_peers::run("reqwest", |load| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        // Also where nothing is over TLS: it has no provider of its own.
        let mut builder = Client::builder().no_proxy().tls_backend_preconfigured(load.rustls());
        if load.close {
            builder = builder.pool_max_idle_per_host(0);
        }
        let client = builder.build().expect("a client");
        runtime.expect("a runtime").block_on(all(load, &client));
    });
}

async fn all(load: &'static Load, client: &Client) {
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

async fn get(load: &Load, client: &Client, job: &Job) -> Result<(u16, u64), reqwest::Error> {
    let mut request = client.get(&job.url);
    if load.close {
        request = request.header("connection", "close");
    }
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    if load.mode == Mode::Discard {
        let mut length = 0;
        while let Some(chunk) = response.chunk().await? {
            length += chunk.len();
        }
        return Ok((status, length as u64));
    }
    Ok((status, response.bytes().await?.len() as u64))
}

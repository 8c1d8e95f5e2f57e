//! The usage examples of `requests_toolbelt.threaded`, each with a twin of the same shape.
//!
//! The Python stands above its twin. The hosts are routes of a server on loopback, seconds are
//! milliseconds, and what the examples print is asserted.

mod support;

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    Pool, Request, SessionConfig, SessionThread, ThreadException, ThreadResponse, user_agent,
};

use support::farm::{Echo, Farm, refused};

/// Simple parallel GET requests.
///
/// ```python
/// from requests_toolbelt import threaded
///
/// urls_to_get = [
///     {'url': 'https://api.github.com/users/octocat', 'method': 'GET'},
///     {'url': 'https://api.github.com/users/defunkt', 'method': 'GET'},
///     {'url': 'https://api.github.com/repos/requests/requests', 'method': 'GET'},
/// ]
///
/// responses, exceptions = threaded.map(urls_to_get)
///
/// for response in responses:
///     print(f"Status: {response.status_code}, URL: {response.url}")
///
/// for exception in exceptions:
///     print(f"Error: {exception}")
/// ```
#[test]
fn simple_parallel_requests() {
    let farm = Farm::new();
    let urls_to_get =
        [farm.url("/ok/octocat"), farm.url("/ok/defunkt"), farm.url("/status/200/requests")];

    let (responses, exceptions) = fetchpool::map(&urls_to_get);

    let mut lines = Vec::new();
    for response in responses {
        lines.push(format!("Status: {}, URL: {}", response.status(), response.url()));
    }
    for exception in exceptions {
        lines.push(format!("Error: {exception}"));
    }
    let expected: Vec<_> =
        urls_to_get.iter().map(|url| format!("Status: 200, URL: {url}")).collect();
    assert_eq!(lines, expected);
}

/// Mixed request methods with parameters.
///
/// ```python
/// requests_to_make = [
///     {
///         'url': 'https://httpbin.org/get',
///         'method': 'GET',
///         'params': {'key': 'value'}
///     },
///     {
///         'url': 'https://httpbin.org/post',
///         'method': 'POST',
///         'json': {'data': 'test'}
///     },
///     {
///         'url': 'https://httpbin.org/put',
///         'method': 'PUT',
///         'data': 'raw data'
///     }
/// ]
///
/// responses, exceptions = threaded.map(requests_to_make, num_processes=5)
/// ```
#[test]
fn mixed_methods_with_params_json_and_data() {
    let farm = Farm::new();
    let requests_to_make = [
        Request::get(farm.url("/echo")).params([("key", "value")]),
        json(Request::post(farm.url("/echo"))),
        Request::put(farm.url("/echo")).data("raw data"),
    ];

    let (responses, exceptions) = Pool::builder().num_threads(5).map(requests_to_make);

    assert_eq!(exceptions.len(), 0);
    let seen: Vec<Echo> = responses.map(|response| Echo::of(response.bytes())).collect();
    assert_eq!((seen[0].method(), seen[0].target()), ("GET", "/echo?key=value"));
    assert_eq!((seen[1].method(), seen[1].body()), ("POST", r#"{"data":"test"}"#));
    assert_eq!(seen[1].header("content-type"), ["application/json"]);
    assert_eq!((seen[2].method(), seen[2].body()), ("PUT", "raw data"));
}

/// The same dicts, as they stand.
#[cfg(feature = "json")]
#[test]
fn mixed_methods_as_json_objects() {
    let farm = Farm::new();
    let url = farm.url("/echo");
    let requests_to_make = [
        serde_json::json!({"url": url, "method": "GET", "params": {"key": "value"}}),
        serde_json::json!({"url": url, "method": "POST", "json": {"data": "test"}}),
        serde_json::json!({"url": url, "method": "PUT", "data": "raw data"}),
    ];

    let (responses, exceptions) = Pool::builder().num_threads(5).map(requests_to_make);

    assert_eq!(exceptions.len(), 0);
    let seen: Vec<Echo> = responses.map(|response| Echo::of(response.bytes())).collect();
    assert_eq!((seen[0].method(), seen[0].target()), ("GET", "/echo?key=value"));
    assert_eq!((seen[1].method(), seen[1].body()), ("POST", r#"{"data":"test"}"#));
    assert_eq!((seen[2].method(), seen[2].body()), ("PUT", "raw data"));
}

/// Custom number of threads.
///
/// ```python
/// responses, exceptions = threaded.map(urls_to_get, num_processes=10)
/// ```
#[test]
fn a_number_of_threads() {
    let farm = Farm::new();
    let urls_to_get: Vec<String> = (0..40).map(|n| farm.url(&format!("/ok/{n}"))).collect();

    let (responses, exceptions) = Pool::builder().num_threads(10).map(urls_to_get);

    assert_eq!((responses.len(), exceptions.len()), (40, 0));
    assert!(farm.connections() <= 10, "{} connections of 10 threads", farm.connections());
}

/// Session initialization.
///
/// ```python
/// from requests_toolbelt import threaded, user_agent
///
/// def setup_session(session):
///     """Initialize session with custom settings."""
///     session.headers['User-Agent'] = user_agent('my-scraper', '1.0')
///     session.headers['Accept'] = 'application/json'
///     session.timeout = 30
///
/// urls = [
///     {'url': 'https://api.example.com/data/1', 'method': 'GET'},
///     {'url': 'https://api.example.com/data/2', 'method': 'GET'},
///     {'url': 'https://api.example.com/data/3', 'method': 'GET'},
/// ]
///
/// responses, exceptions = threaded.map(
///     urls,
///     initializer=setup_session,
///     num_processes=3
/// )
/// ```
#[test]
fn session_initializer() {
    /// Initialize session with custom settings.
    fn setup_session(session: &mut SessionConfig) {
        session.header("User-Agent", user_agent("my-scraper", "1.0"));
        session.header("Accept", "application/json");
        session.timeout(Duration::from_millis(600));
    }

    let farm = Farm::new();
    // The last never answers. In Python a session has no timeout: the attribute does nothing.
    let urls = [farm.url("/echo/1"), farm.url("/echo/2"), farm.url("/gate/3")];

    let (responses, mut exceptions) =
        Pool::builder().initializer(setup_session).num_threads(3).map(urls);

    assert_eq!(responses.len(), 2);
    for response in responses {
        let echo = Echo::of(response.bytes());
        assert_eq!(echo.header("accept"), ["application/json"]);
        let [agent] = echo.header("user-agent")[..] else { panic!("one User-Agent") };
        assert!(agent.starts_with("my-scraper/1.0 "), "{agent}");
    }
    assert!(exceptions.next().unwrap().is_timeout());
}

/// Session with authentication.
///
/// ```python
/// def setup_authenticated_session(session, api_key):
///     """Setup session with API key authentication."""
///     session.headers['Authorization'] = f'Bearer {api_key}'
///     session.headers['Content-Type'] = 'application/json'
///
/// responses, exceptions = threaded.map(
///     requests_to_make,
///     initializer=setup_authenticated_session,
///     initargs=('your-api-key-here',),
///     num_processes=5
/// )
/// ```
#[test]
fn authenticated_initializer_with_arguments() {
    /// Setup session with API key authentication.
    fn setup_authenticated_session(session: &mut SessionConfig, api_key: &String) {
        session.header("Authorization", format!("Bearer {api_key}"));
        session.header("Content-Type", "application/json");
    }

    let farm = Farm::new();
    let requests_to_make = [
        Request::get(farm.url("/echo")).params([("key", "value")]),
        json(Request::post(farm.url("/echo"))),
        Request::put(farm.url("/echo")).data("raw data"),
    ];

    let (responses, exceptions) = Pool::builder()
        .initializer_with("your-api-key-here".to_owned(), setup_authenticated_session)
        .num_threads(5)
        .map(requests_to_make);

    assert_eq!((responses.len(), exceptions.len()), (3, 0));
    for response in responses {
        let echo = Echo::of(response.bytes());
        assert_eq!(echo.header("authorization"), ["Bearer your-api-key-here"]);
        assert_eq!(echo.header("content-type"), ["application/json"]);
    }
}

/// Advanced thread pool.
///
/// ```python
/// from requests_toolbelt.threaded.pool import Pool
/// import queue
///
/// # Create job queue
/// job_queue = queue.Queue()
/// requests_to_make = [
///     {'url': 'https://api.example.com/slow-endpoint', 'method': 'GET'},
///     {'url': 'https://api.example.com/fast-endpoint', 'method': 'GET'},
///     {'url': 'https://api.example.com/medium-endpoint', 'method': 'GET'},
/// ]
///
/// for request in requests_to_make:
///     job_queue.put(request)
///
/// # Create and use pool directly
/// pool = Pool(num_processes=2, job_queue=job_queue)
///
/// # Process responses as they complete
/// for response in pool.responses():
///     print(f"Completed: {response.url} - Status: {response.status_code}")
///     print(f"Response time: {response.elapsed.total_seconds()}s")
///
/// # Handle any exceptions
/// for exception in pool.exceptions():
///     print(f"Failed request: {exception.request}")
///     print(f"Exception: {exception.exception}")
///
/// pool.join_all()
/// ```
#[test]
fn pool_over_a_job_queue() {
    let farm = Farm::new();
    // Create job queue
    let (job_queue, jobs) = mpsc::channel();
    let requests_to_make = [
        Request::get(farm.url("/gate/slow-endpoint")),
        Request::get(farm.url("/ok/fast-endpoint")),
        Request::get(farm.url("/ok/medium-endpoint")),
        Request::get(format!("http://{}/failing-endpoint", refused())),
    ];
    for request in requests_to_make {
        job_queue.send(request).unwrap();
    }
    // An empty queue is not a closed one: this says that no more will come.
    drop(job_queue);

    // Create and use pool directly
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();

    // Process responses as they complete
    let mut completed = Vec::new();
    for response in pool.responses() {
        assert_eq!(response.status(), 200);
        assert!(response.elapsed() > Duration::ZERO);
        completed.push(response.url().rsplit('/').next().unwrap().to_owned());
        if completed.len() == 2 {
            // The slow one is slow until here: the others did not wait for it.
            farm.open_gate();
        }
    }
    assert_eq!(completed, ["fast-endpoint", "medium-endpoint", "slow-endpoint"]);

    // Handle any exceptions
    let mut failed = Vec::new();
    for exception in pool.exceptions() {
        assert!(exception.error().is_connect());
        failed.push(exception.request().url().rsplit('/').next().unwrap().to_owned());
    }
    assert_eq!(failed, ["failing-endpoint"]);

    pool.join_all();
}

/// Session thread management.
///
/// ```python
/// class SessionThread:
///     """
///     Individual thread worker for HTTP requests.
///
///     Parameters:
///     - job_queue: Queue, queue containing request jobs
///     - response_queue: Queue, queue for successful responses
///     - exception_queue: Queue, queue for exceptions
///     - initializer: callable, session initialization function
///     - initargs: tuple, arguments for initializer
///     """
///     def __init__(self, job_queue, response_queue, exception_queue,
///                  initializer=None, initargs=None): ...
/// ```
#[test]
fn session_threads_for_custom_threading() {
    let farm = Farm::new();
    let (job_queue, jobs) = mpsc::channel();
    let jobs = Arc::new(Mutex::new(jobs));
    let (response_queue, responses) = mpsc::channel();
    let (exception_queue, exceptions) = mpsc::channel();
    let initargs = "from the arguments";
    let threads: Vec<SessionThread> = (0..2)
        .map(|_| {
            let (jobs, responses) = (Arc::clone(&jobs), response_queue.clone());
            SessionThread::spawn(
                jobs,
                responses,
                exception_queue.clone(),
                move |session: &mut SessionConfig| {
                    session.header("X-Set", initargs);
                },
            )
            .unwrap()
        })
        .collect();
    drop((response_queue, exception_queue));

    for _ in 0..6 {
        job_queue.send(Request::get(farm.url("/echo"))).unwrap();
    }
    job_queue.send(Request::get("no URL")).unwrap();
    assert!(threads.iter().all(SessionThread::is_alive));
    drop(job_queue);
    for thread in threads {
        thread.join();
    }

    let responses: Vec<ThreadResponse> = responses.iter().collect();
    assert_eq!(responses.len(), 6);
    for response in responses {
        assert_eq!(Echo::of(response.bytes()).header("x-set"), [initargs]);
    }
    let exceptions: Vec<ThreadException> = exceptions.iter().collect();
    assert_eq!(exceptions.len(), 1);
    assert_eq!(exceptions[0].request().url(), "no URL");
}

/// Error handling and monitoring.
///
/// ```python
/// from requests_toolbelt import threaded
/// import time
///
/// def monitor_parallel_requests():
///     """Example of monitoring parallel requests with error handling."""
///
///     urls = [
///         {'url': 'https://httpbin.org/delay/1', 'method': 'GET'},
///         {'url': 'https://httpbin.org/status/404', 'method': 'GET'},  # Will fail
///         {'url': 'https://httpbin.org/delay/2', 'method': 'GET'},
///         {'url': 'https://invalid-url-example.com', 'method': 'GET'},  # Will fail
///     ]
///
///     start_time = time.time()
///     responses, exceptions = threaded.map(urls, num_processes=4)
///
///     successful_count = 0
///     error_count = 0
///
///     print("Successful responses:")
///     for response in responses:
///         successful_count += 1
///         print(f"  {response.url}: {response.status_code}")
///
///     print("\nErrors:")
///     for exception in exceptions:
///         error_count += 1
///         print(f"  {exception.request.get('url', 'Unknown')}: {exception.exception}")
///
///     total_time = time.time() - start_time
///     print(f"\nCompleted in {total_time:.2f}s")
///     print(f"Success: {successful_count}, Errors: {error_count}")
///
/// # Usage
/// monitor_parallel_requests()
/// ```
#[test]
fn monitoring_with_counts_and_total_time() {
    let farm = Farm::new();
    let nowhere = format!("http://{}/", refused());
    let urls = [
        farm.url("/delay/500"),
        farm.url("/status/404"), // Will not fail: a 404 is a response, in Python too.
        farm.url("/delay/600"),
        nowhere.clone(), // Will fail
    ];

    let start_time = Instant::now();
    let (responses, exceptions) = Pool::builder().num_threads(4).map(urls);

    let mut successful_count = 0;
    let mut error_count = 0;

    let mut statuses = Vec::new();
    for response in responses {
        successful_count += 1;
        statuses.push(response.status());
    }
    for exception in exceptions {
        error_count += 1;
        assert_eq!(exception.request().url(), nowhere);
        assert!(exception.error().message().contains("refused"), "{}", exception.message());
    }

    let total_time = start_time.elapsed();
    // The longest of them, and not the sum.
    assert!(total_time >= Duration::from_millis(600), "{total_time:?}");
    assert!(total_time < Duration::from_millis(1100), "{total_time:?}");
    assert_eq!((successful_count, error_count), (3, 1));
    assert_eq!(statuses, [200, 404, 200]);
}

/// The comment in the example above, "Will fail", come true: a status is an error if one asks.
#[test]
fn monitoring_with_a_status_that_fails() {
    let farm = Farm::new();
    let urls = [farm.url("/delay/10"), farm.url("/status/404"), farm.url("/delay/20")];

    let (responses, mut exceptions) = Pool::builder()
        .num_threads(4)
        .initializer(|session: &mut SessionConfig| session.http_status_as_error = true)
        .map(urls);

    assert_eq!((responses.len(), exceptions.len()), (2, 1));
    let exception = exceptions.next().unwrap();
    assert_eq!(exception.request().url(), farm.url("/status/404"));
    assert_eq!(exception.error().response().unwrap().status(), 404);
}

/// Batch processing with rate limiting.
///
/// ```python
/// from requests_toolbelt import threaded
/// import time
///
/// def batch_with_rate_limit(urls, batch_size=10, delay_between_batches=1):
///     """Process URLs in batches with rate limiting."""
///
///     def setup_session(session):
///         session.timeout = 30
///         session.headers['User-Agent'] = 'Batch Processor 1.0'
///
///     results = []
///
///     for i in range(0, len(urls), batch_size):
///         batch = urls[i:i + batch_size]
///         print(f"Processing batch {i//batch_size + 1} ({len(batch)} requests)")
///
///         responses, exceptions = threaded.map(
///             batch,
///             initializer=setup_session,
///             num_processes=min(5, len(batch))
///         )
///
///         batch_results = {
///             'responses': list(responses),
///             'exceptions': list(exceptions)
///         }
///         results.append(batch_results)
///
///         if i + batch_size < len(urls):  # Don't delay after last batch
///             time.sleep(delay_between_batches)
///
///     return results
///
/// # Usage
/// urls = [{'url': f'https://httpbin.org/delay/{i%3}', 'method': 'GET'} for i in range(50)]
/// results = batch_with_rate_limit(urls, batch_size=10, delay_between_batches=2)
/// ```
#[test]
fn batches_with_a_pause_between_them() {
    struct BatchResults {
        responses: Vec<ThreadResponse>,
        exceptions: Vec<ThreadException>,
    }

    /// Process URLs in batches with rate limiting.
    fn batch_with_rate_limit(
        urls: &[String],
        batch_size: usize,
        delay_between_batches: Duration,
    ) -> Vec<BatchResults> {
        fn setup_session(session: &mut SessionConfig) {
            session.timeout(Duration::from_secs(30));
            session.header("User-Agent", "Batch Processor 1.0");
        }

        let mut results = Vec::new();

        for (i, batch) in urls.chunks(batch_size).enumerate() {
            let (responses, exceptions) = Pool::builder()
                .initializer(setup_session)
                .num_threads(batch.len().min(5))
                .map(batch);

            results.push(BatchResults {
                responses: responses.collect(),
                exceptions: exceptions.collect(),
            });

            // Don't delay after last batch
            if (i + 1) * batch_size < urls.len() {
                // A sleep in a test: it is what the example is about, and nothing waits for it.
                thread::sleep(delay_between_batches);
            }
        }

        results
    }

    // Usage
    let farm = Farm::new();
    let urls: Vec<String> = (0..45).map(|i| farm.url(&format!("/delay/{}/{i}", i % 3))).collect();
    let pause = Duration::from_millis(20);
    let start = Instant::now();
    let results = batch_with_rate_limit(&urls, 10, pause);

    assert!(start.elapsed() >= 4 * pause);
    let sizes: Vec<usize> = results.iter().map(|batch| batch.responses.len()).collect();
    assert_eq!(sizes, [10, 10, 10, 10, 5]);
    assert!(results.iter().all(|batch| batch.exceptions.is_empty()));
    let bodies = results.iter().flat_map(|batch| &batch.responses).map(|r| r.text().into_owned());
    assert!(bodies.eq((0..45).map(|i| i.to_string())), "batches and lists keep their order");
}

/// `'json': {'data': 'test'}`; by hand where the crate is built without the feature `json`.
fn json(request: Request) -> Request {
    #[cfg(feature = "json")]
    return request.json(&serde_json::json!({"data": "test"}));
    #[cfg(not(feature = "json"))]
    request.header("Content-Type", "application/json").data(r#"{"data":"test"}"#)
}

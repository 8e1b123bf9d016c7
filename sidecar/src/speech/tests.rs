use super::*;
use std::sync::atomic::AtomicU32;
use tokio::sync::Notify;

fn request(text: &str) -> SpeechRequest {
    SpeechRequest {
        text: text.into(),
        ssml: false,
        voice: "Joanna".into(),
        language: None,
    }
}

/// Renders 100 ms at 16 kHz, once it is let go.
struct Gated {
    renderings: Arc<AtomicU32>,
    started: Arc<Notify>,
    gate: Arc<Semaphore>,
}

impl SpeechEngine for Gated {
    fn render<'a>(
        &'a self,
        request: &'a SpeechRequest,
    ) -> BoxFuture<'a, Result<Rendered, SpeechError>> {
        Box::pin(async move {
            self.renderings.fetch_add(1, Ordering::SeqCst);
            self.started.notify_one();
            self.gate.acquire().await.unwrap().forget();
            if request.text == "bad" {
                return Err(SpeechError::Failed("bad".into()));
            }
            Ok(Rendered {
                rate: 16_000,
                samples: vec![1000; 1600],
            })
        })
    }
}

struct Bench {
    service: Arc<SpeechService>,
    renderings: Arc<AtomicU32>,
    started: Arc<Notify>,
    gate: Arc<Semaphore>,
}

fn bench(queue: u16, timeout_seconds: u16) -> Bench {
    let renderings = Arc::new(AtomicU32::new(0));
    let started = Arc::new(Notify::new());
    let gate = Arc::new(Semaphore::new(0));
    let engine = Gated {
        renderings: Arc::clone(&renderings),
        started: Arc::clone(&started),
        gate: Arc::clone(&gate),
    };
    let config = SpeechConfig {
        queue,
        timeout_seconds,
        ..SpeechConfig::default()
    };
    let service = Arc::new(SpeechService::with_engine(Some(Box::new(engine)), &config));
    Bench {
        service,
        renderings,
        started,
        gate,
    }
}

#[tokio::test]
async fn a_text_is_rendered_once() {
    let bench = bench(8, 10);
    bench.gate.add_permits(100);
    let both = tokio::join!(
        bench.service.prompt(request("a")),
        bench.service.prompt(request("a"))
    );
    let first = both.0.unwrap();
    assert!(Arc::ptr_eq(&first, &both.1.unwrap()));
    assert_eq!(first.duration_ms(), 100);
    assert!(Arc::ptr_eq(
        &first,
        &bench.service.prompt(request("a")).await.unwrap()
    ));
    assert_eq!(bench.renderings.load(Ordering::SeqCst), 1);
    let other = SpeechRequest {
        voice: "Matthew".into(),
        ..request("a")
    };
    bench.service.prompt(other).await.unwrap();
    assert_eq!(bench.renderings.load(Ordering::SeqCst), 2);
    assert_eq!(bench.service.figures().cached, 2);
}

#[tokio::test]
async fn a_full_queue_throttles() {
    let bench = bench(1, 10);
    let service = Arc::clone(&bench.service);
    let first = tokio::spawn(async move { service.prompt(request("a")).await });
    bench.started.notified().await;
    let error = bench.service.prompt(request("b")).await.unwrap_err();
    assert_eq!(error, SpeechError::Throttled(1));
    assert_eq!(error.error_type(), ErrorType::ActionExecutionThrottled);
    bench.gate.add_permits(2);
    assert!(first.await.unwrap().is_ok());
    assert!(bench.service.prompt(request("b")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_silent_engine_times_out_and_leaves_nothing_behind() {
    let bench = bench(4, 3);
    let error = bench.service.prompt(request("a")).await.unwrap_err();
    assert_eq!(error, SpeechError::TimedOut(Duration::from_secs(3)));
    assert_eq!(error.error_type(), ErrorType::SystemException);
    assert_eq!(bench.service.figures(), SpeechFigures::default());
}

#[tokio::test]
async fn failures_are_not_cached() {
    let bench = bench(4, 10);
    bench.gate.add_permits(4);
    assert!(bench.service.prompt(request("bad")).await.is_err());
    assert!(bench.service.prompt(request("bad")).await.is_err());
    assert_eq!(bench.renderings.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_engine_is_a_system_exception() {
    let config = SpeechConfig {
        engine: SpeechEngineName::None,
        ..SpeechConfig::default()
    };
    let error = SpeechService::new(&config)
        .prompt(request("a"))
        .await
        .unwrap_err();
    assert_eq!(error, SpeechError::NoEngine);
    let config = SpeechConfig {
        command: "/nonexistent/espeak-ng".into(),
        ..SpeechConfig::default()
    };
    let error = SpeechService::new(&config)
        .prompt(request("a"))
        .await
        .unwrap_err();
    assert!(matches!(error, SpeechError::Missing { .. }), "{error}");
    assert_eq!(error.error_type(), ErrorType::SystemException);
    assert!(
        probe(&config)
            .unwrap_err()
            .remedy()
            .contains("apt-get install espeak-ng")
    );
}

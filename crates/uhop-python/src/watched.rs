//! Long work on a thread of its own, which the calling thread watches: for signals, and to tell of progress.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use uhop::stage1::Progress;

use crate::arrays::on_threads;
use crate::error::Result;

/// How often the calling thread looks for a signal.
const GLANCE: Duration = Duration::from_millis(20);

enum Message<R> {
    Progress(Progress),
    Done(Result<R>),
}

/// Where work says how far it is.
pub(crate) struct Observer<'a> {
    tell: &'a (dyn Fn(Progress) -> bool + Sync),
}

impl Observer<'_> {
    /// Goes on unless the caller has given up.
    pub(crate) fn hears(&self, progress: Progress) -> ControlFlow<()> {
        if (self.tell)(progress) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Runs `work`, tells `progress` of each step (`progress(step, max_steps, loss)`), and ends with the exception of
/// a signal or of `progress`. What has no steps then goes on unheard to its end.
pub(crate) fn watched<R: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    threads: Option<usize>,
    work: impl FnOnce(&Observer<'_>) -> Result<R> + Send + 'static,
) -> Result<R> {
    let is_told = progress.is_some();
    let is_over = Arc::new(AtomicBool::new(false));
    // Without room: work never runs ahead of a slow callback.
    let (sender, mut receiver) = sync_channel(0);
    let over = Arc::clone(&is_over);
    let thread = thread::spawn(move || {
        let tell = |progress| {
            !over.load(Ordering::Relaxed)
                && (!is_told || sender.send(Message::Progress(progress)).is_ok())
        };
        let result = on_threads(threads, || work(&Observer { tell: &tell }));
        finish(&sender, result);
    });
    let result = loop {
        let receiver = &mut receiver;
        match py.detach(move || receiver.recv_timeout(GLANCE)) {
            Ok(Message::Done(result)) => break result,
            Ok(Message::Progress(Progress { step, max_steps, loss, .. })) => {
                let told = progress.map(|progress| progress.call1((step, max_steps, loss)));
                if let Some(Err(error)) = told {
                    break Err(error.into());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // Only a panic leaves without a result.
                let _ = py.detach(|| thread.join());
                let line = "a fault of uhop: fit ended without a result; please report it";
                return Err(PyRuntimeError::new_err(line).into());
            }
        }
        if let Err(signal) = py.check_signals() {
            break Err(signal.into());
        }
    };
    is_over.store(true, Ordering::Relaxed);
    result
}

/// Whoever has given up does not hear of it.
fn finish<R>(sender: &SyncSender<Message<R>>, result: Result<R>) {
    let _ = sender.send(Message::Done(result));
}

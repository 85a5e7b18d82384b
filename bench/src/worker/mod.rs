//! The worker: commands in, seconds out, with everything kept warm between them.
//!
//! A line in is a JSON object; a line out is `{"seconds": [..]}`, one number a repetition, or
//! `{"error": ".."}`. `loss` and `learn` add the loss as `"value"`. Results go to `.npy` files, never through the pipe.
//!
//! ```text
//! {"do": "load", "array": "x", "path": "x.npy"}
//! {"do": "memory", "memory": "m", "patterns": "x", "similarity": "dot",
//!  "separation": {"entmax": 2.0}, "beta": 1.0}
//! {"do": "retrieve", "memory": "m", "queries": "x", "max_steps": 1, "repetitions": 3,
//!  "result": "recalled.npy"}
//! ```
//! (each on one line). `bench/peers` is the other end of the pipe.

mod command;
mod layer;
mod stream;

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use command::{Command, LossName, SeparationName, SimilarityName};
use layer::Trainee;
use ndarray::{Array2, Axis, concatenate};
use serde::Serialize;
use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
use uhop::{Dynamics, LinearMap, Memory, Model, Patterns, Separation, Similarity};
use uhop_data::{Matrix, npy};

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("command: {0}")]
    Command(#[from] serde_json::Error),
    #[error("{what} `{name}`: expected one that was made before, found none; make it first")]
    Unknown { what: &'static str, name: String },
    #[error("repetitions: expected at least 1, found 0; ask for one")]
    NoRepetition,
    #[error("tokens: {n} rows are not {n_samples} samples of equal length; choose a divisor")]
    Samples { n_samples: usize, n: usize },
    #[error(transparent)]
    Layer(#[from] uhop_nn::Error),
    #[error(transparent)]
    Training(#[from] uhop_nn::train::Error),
    #[error(transparent)]
    Uhop(#[from] uhop::Error),
    #[error(transparent)]
    Data(#[from] uhop_data::Error),
}

/// The answer to a command.
#[derive(Debug, Default, Serialize)]
struct Reply {
    seconds: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    error: String,
}

/// Does what the lines of `input` say, by the threads there are, until they end.
///
/// # Errors
/// Those of `input` and `output`. What a command asks wrongly is answered, not returned.
pub fn serve(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut worker = Worker::default();
    for line in input.lines() {
        let answer = match worker.run(&line?) {
            Ok(reply) => serde_json::to_string(&reply)?,
            Err(problem) => serde_json::to_string(&Refusal { error: problem.to_string() })?,
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

/// What was made so far, by name.
#[derive(Debug, Default)]
struct Worker {
    arrays: HashMap<String, Patterns<f32>>,
    memories: HashMap<String, Memory<f32>>,
    trainees: HashMap<String, Trainee>,
}

impl Worker {
    fn run(&mut self, line: &str) -> Result<Reply, Problem> {
        match serde_json::from_str(line)? {
            Command::Load { array, path } => {
                let (seconds, rows) = timed(1, || npy::read(&path))?;
                self.arrays.insert(array, Patterns::new(rows.into_f32())?);
                Ok(Reply { seconds, value: None })
            }
            Command::First { array, of, n_rows } => {
                let rows = self.array(&of)?.first(n_rows)?;
                self.arrays.insert(array, rows);
                Ok(Reply::default())
            }
            Command::Forget { name } => {
                self.arrays.remove(&name);
                self.trainees.remove(&name);
                self.memories.remove(&name);
                Ok(Reply::default())
            }
            Command::Memory { memory, patterns, similarity, separation, beta } => {
                let patterns = self.array(&patterns)?.clone();
                let model = Model::new(self.similarity(similarity)?, separation.parse()?, beta)?;
                let (seconds, made) = timed(1, || Memory::new(patterns.clone(), model.clone()))?;
                self.memories.insert(memory, made);
                Ok(Reply { seconds, value: None })
            }
            Command::Screen { memory, of } => {
                let of = self.memory(&of)?;
                let (seconds, made) = timed(1, || Ok::<_, Problem>(of.clone().screened()))?;
                self.memories.insert(memory, made);
                Ok(Reply { seconds, value: None })
            }
            Command::Retrieve { memory, queries, max_steps, repetitions, result } => {
                let (memory, queries) = (self.memory(&memory)?, self.array(&queries)?.view());
                let dynamics = Dynamics::steps(max_steps)?;
                let (seconds, recalled) =
                    timed(repetitions, || memory.retrieve(queries, &dynamics))?;
                answer(seconds, recalled.retrieved, result)
            }
            Command::RetrieveSingly { memory, queries, result } => {
                let (memory, queries) = (self.memory(&memory)?, self.array(&queries)?.view());
                let (mut seconds, mut rows) = (Vec::new(), Vec::new());
                for query in queries.axis_chunks_iter(Axis(0), 1) {
                    let (once, recalled) =
                        timed(1, || memory.retrieve(query, &Dynamics::one_step()))?;
                    seconds.extend(once);
                    rows.push(recalled.retrieved);
                }
                let rows: Vec<_> = rows.iter().map(|row| row.view()).collect();
                let rows = concatenate(Axis(0), &rows).expect("rows of one length, at least one");
                answer(seconds, rows, result)
            }
            Command::Loss { patterns, map, over, repetitions, result } => {
                let patterns = self.array(&patterns)?;
                let map = self.map(&map)?;
                let loss = SeparationLoss::from(over);
                let (seconds, (value, gradient)) =
                    timed(repetitions, || loss.value_and_gradient(&map, patterns))?;
                Ok(Reply { value: Some(value), ..answer(seconds, gradient, result)? })
            }
            Command::Learn { patterns, map, over, steps, rate, repetitions, result } => {
                let (patterns, map) = (self.array(&patterns)?, self.map(&map)?);
                let optimizer = Optimizer::gradient_descent(rate)?;
                let params = Params::new(over.into(), optimizer, steps)?.keep_rows();
                let (seconds, report) = timed(repetitions, || {
                    learn(patterns, map.clone(), &params, |_| ControlFlow::Continue(()))
                })?;
                let value = Some(report.losses[report.steps]);
                Ok(Reply { value, ..answer(seconds, report.map.weight().to_owned(), result)? })
            }
            Command::Scores { memory, queries, repetitions, result } => {
                let (memory, queries) = (self.memory(&memory)?, self.array(&queries)?.view());
                let (seconds, scores) = timed(repetitions, || memory.scores(queries))?;
                answer(seconds, scores, result)
            }
            Command::Product { a, b, repetitions, result } => {
                let (a, map) = (self.array(&a)?.view(), self.map(&b)?);
                let (seconds, product) = timed(repetitions, || map.apply(a))?;
                answer(seconds, product, result)
            }
            Command::Layer { trainee, tokens, n_samples, n_heads, separation, parameters } => {
                let tokens = self.array(&tokens)?;
                let made = Trainee::layer(tokens, n_samples, n_heads, separation)?;
                self.keep(trainee, made, &parameters)
            }
            Command::Classifier { trainee, images, model, parameters } => {
                let made = Trainee::classifier(self.array(&images)?, model)?;
                self.keep(trainee, made, &parameters)
            }
            Command::Step { trainee, repetitions, result } => {
                let unknown = || Problem::Unknown { what: "trainee", name: trainee.clone() };
                let trained = self.trainees.get_mut(&trainee).ok_or_else(unknown)?;
                let (seconds, output) = timed(repetitions, || trained.step())?;
                answer(seconds, output, result)
            }
            Command::Stream { array, repetitions } => {
                let array = self.array(&array)?.view();
                let (seconds, sum) = timed(repetitions, || Ok::<_, Problem>(stream::sum(array)))?;
                Ok(Reply { seconds, value: Some(sum) })
            }
        }
    }

    fn keep(&mut self, name: String, made: Trainee, file: &Path) -> Result<Reply, Problem> {
        write(file, made.parameters())?;
        self.trainees.insert(name, made);
        Ok(Reply::default())
    }

    fn array(&self, name: &str) -> Result<&Patterns<f32>, Problem> {
        self.arrays
            .get(name)
            .ok_or_else(|| Problem::Unknown { what: "array", name: name.to_owned() })
    }

    fn memory(&self, name: &str) -> Result<&Memory<f32>, Problem> {
        self.memories
            .get(name)
            .ok_or_else(|| Problem::Unknown { what: "memory", name: name.to_owned() })
    }

    /// The array as the W of a feature map.
    fn map(&self, name: &str) -> Result<LinearMap<f32>, Problem> {
        Ok(LinearMap::new(self.array(name)?.view().to_owned())?)
    }

    fn similarity(&self, name: SimilarityName) -> Result<Similarity<f32>, Problem> {
        Ok(match name {
            SimilarityName::Dot => Similarity::Dot,
            SimilarityName::Cosine => Similarity::Cosine,
            SimilarityName::Euclidean => Similarity::Euclidean,
            SimilarityName::Manhattan => Similarity::Manhattan,
            SimilarityName::Kernel(map) => Similarity::Kernel(self.map(&map)?),
        })
    }
}

impl From<LossName> for SeparationLoss {
    fn from(name: LossName) -> Self {
        match name {
            LossName::Average => Self::average(),
            LossName::Max => Self::max(),
        }
    }
}

impl SeparationName {
    fn parse(self) -> Result<Separation, Problem> {
        Ok(match self {
            Self::Softmax => Separation::softmax(),
            Self::Entmax(alpha) => Separation::entmax(alpha)?,
            Self::TopK(k) => Separation::top_k(k)?,
        })
    }
}

/// The seconds of each repetition, and what the last one made.
fn timed<T, E>(
    repetitions: usize,
    mut run: impl FnMut() -> Result<T, E>,
) -> Result<(Vec<f64>, T), Problem>
where
    Problem: From<E>,
{
    let mut seconds = Vec::with_capacity(repetitions);
    let mut made = None;
    for _ in 0..repetitions {
        drop(made.take());
        let start = Instant::now();
        made = Some(run()?);
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok((seconds, made.ok_or(Problem::NoRepetition)?))
}

/// Writes the rows where they were asked for.
fn answer(seconds: Vec<f64>, rows: Array2<f32>, result: Option<PathBuf>) -> Result<Reply, Problem> {
    if let Some(path) = result {
        write(&path, rows)?;
    }
    Ok(Reply { seconds, value: None })
}

fn write(path: &Path, rows: Array2<f32>) -> Result<(), Problem> {
    Ok(npy::write(path, &Matrix::from(rows))?)
}

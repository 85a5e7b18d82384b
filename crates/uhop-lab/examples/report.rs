//! A report with one of everything, to be looked at: `cargo run -p uhop-lab --example report -- FOLDER`.
//!
//! The digits are real; every number is made up.

use std::error::Error;
use std::io::{self, Write as _};

use uhop_data::{Corruption, sample};
use uhop_lab::report::{
    self, Axis, Chart, Column, Document, Field, Frame, Image, ImageGrid, Point, Role, Scale,
    Section, Series, Table,
};

const MODELS: [&str; 12] = [
    "dense",
    "sparse",
    "1.5-entmax",
    "polynomial-10",
    "euclidean",
    "manhattan",
    "cosine",
    "U-Hop dense, max loss",
    "U-Hop dense, average loss",
    "U-Hop sparse, max loss",
    "U-Hop sparse, average loss",
    "U-Hop dense, published protocol",
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("a folder expected: report -- FOLDER")?;
    let page = report::write(&document()?, folder)?;
    writeln!(io::stdout(), "{}", page.display())?;
    Ok(())
}

fn document() -> Result<Document, Box<dyn Error>> {
    let results = Section::new("Error against memory size")?
        .with(
            "Every query is recalled once. Lines are medians over 20 seeds, bands go from the lower to \
             the upper quartile. The Bayes limit is the error of the posterior mean, which no recall can \
             fall below."
                .to_owned(),
        )
        .with(memory_size()?)
        .with(table()?);
    let noise = Section::new("Error against noise")?.with(noise()?).with(share()?);
    let pictures = Section::new("What is recalled")?.with(digits()?);
    let plane = Section::new("Energy & basins in the plane")?.with(energy()?).with(basins()?);
    let document = Document::new(
        "Retrieval error: which part is separation?",
        "Learning Φ cuts the error of dot-product models, and a distance with the right sign cuts it \
         further.",
    )?
    .with_fact("command", "uhop experiment run memory-size --data mnist --seeds 20 --out report")
    .with_fact("version", "uhop 0.1.0")
    .with_fact("seeds", "0 to 19")
    .with_fact("data", "made up, but for the digits: built-in sample, first 1,000 MNIST test images")
    .with_section(results)?
    .with_section(noise)?
    .with_section(pictures)?
    .with_section(plane)?;
    Ok(document)
}

fn memory_size() -> report::Result<Chart> {
    let sizes = [10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4];
    let mut series = vec![line("Bayes limit", Role::Floor, &sizes, 0.0, |m| 0.02 * m.powf(0.45))?];
    for (i, name) in MODELS.iter().enumerate() {
        let i = i as f64;
        let error = move |m: f64| {
            (0.05 + 0.06 * i) * m.powf(0.45 + 0.035 * i) * (1.0 + 0.15 * (m.ln() * (1.0 + i)).sin())
        };
        series.push(line(name, Role::Model, &sizes, 0.2, error)?);
    }
    series.push(line("corrupted query itself", Role::Reference, &sizes, 0.0, |_| 44.4)?);
    Chart::new(
        "memory-size",
        "Error against memory size",
        "MNIST, half mask, β = 1. Sum of squared pixel differences, mean over the queries.",
        Axis::new("stored patterns M", Scale::Log)?,
        Axis::new("mean squared error", Scale::Log)?,
        series,
    )
}

fn noise() -> report::Result<Chart> {
    let levels = [0.0, 0.1, 0.2, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0];
    let floor = line("Bayes limit", Role::Floor, &levels, 0.0, |s| 6.0 * s.powf(1.9))?;
    let models =
        ["dense", "euclidean", "U-Hop dense, max loss"].iter().enumerate().map(|(i, name)| {
            let i = i as f64;
            line(name, Role::Model, &levels, 0.3, move |s| {
                (20.0 - 4.0 * i) * (s + 0.002 * i).powf(1.5)
            })
        });
    let models = models.collect::<report::Result<Vec<_>>>()?;
    Chart::new(
        "noise",
        "Error against noise",
        "MNIST, M = 100. The axes are linear below .1 and .01, so that 0 has a place.",
        Axis::new(
            "noise, standard deviation of a pixel",
            Scale::SymmetricLog { linear_below: 0.1 },
        )?,
        Axis::new("mean squared error", Scale::SymmetricLog { linear_below: 0.01 })?
            .including(0.0)?,
        std::iter::once(floor).chain(models).collect(),
    )
}

fn share() -> report::Result<Chart> {
    let levels: Vec<f64> = (0..=8).map(|i| f64::from(i) * 0.5).collect();
    let models = ["dense", "sparse", "cosine", "U-Hop sparse, max loss"].iter().enumerate();
    let models = models.map(|(i, name)| {
        let share = move |s: f64| 1.0 / (1.0 + (s * 2.0 - 2.0 - i as f64).exp());
        let points = levels.iter().map(|&x| {
            let spread = 0.5 * share(x) * (1.0 - share(x));
            Point { x, y: share(x), low: share(x) - spread, high: share(x) + spread }
        });
        Series::new(*name, Role::Model, points.collect())
    });
    Chart::new(
        "recalled",
        "Share of queries recalled",
        "A query counts as recalled when its error is at most 1.",
        Axis::new("noise, standard deviation of a pixel", Scale::Linear)?.including(0.0)?,
        Axis::new("share recalled", Scale::Linear)?.including(0.0)?.including(1.0)?,
        models.collect::<report::Result<_>>()?,
    )
}

fn line(
    name: &str,
    role: Role,
    xs: &[f64],
    spread: f64,
    y: impl Fn(f64) -> f64,
) -> report::Result<Series> {
    let point = |&x: &f64| {
        let y = y(x);
        Point { x, y, low: y * (1.0 - spread), high: y * (1.0 + 1.5 * spread) }
    };
    Series::new(name, role, xs.iter().map(point).collect())
}

fn table() -> report::Result<Table> {
    let columns = vec![
        Column::text("model"),
        Column::text("protocol"),
        Column::number("β"),
        Column::number("error"),
        Column::number("quartiles"),
        Column::number("ratio to floor"),
    ];
    let rows = MODELS.iter().enumerate().map(|(i, name)| {
        let error = 4.0 + 3.7 * i as f64;
        vec![
            (*name).to_owned(),
            "fair".to_owned(),
            format!("{:.1}", 1.0 + i as f64 / 4.0),
            format!("{error:.1}"),
            format!("{:.1} to {:.1}", error * 0.8, error * 1.3),
            format!("{:.1}", error / 3.5),
        ]
    });
    Table::new("Error at M = 500, median of 20 seeds.", columns, rows.collect())
}

fn digits() -> Result<ImageGrid, Box<dyn Error>> {
    let (images, labels) = sample::digits().into_parts();
    let patterns = images.patterns();
    let (height, width) = (images.height(), images.width());
    let first = |digit: u8| labels.iter().position(|&label| label == digit);
    let chosen: Vec<usize> = (0..10).filter_map(first).collect();
    let patterns = patterns.select(ndarray::Axis(0), &chosen);
    let rows = [
        ("stored", patterns.clone()),
        ("half of the pixels removed", Corruption::half_mask().apply(patterns.view(), 0)?),
        ("noise, σ = 0.5", Corruption::gaussian_noise(0.5)?.apply(patterns.view(), 0)?),
        (
            "lower half occluded",
            Corruption::occluded_half(height, width)?.apply(patterns.view(), 0)?,
        ),
    ];
    let mut pictures = Vec::new();
    for (_, queries) in &rows {
        for query in queries.rows() {
            pictures.push(Image::grey_of(height, width, &query.to_vec())?);
        }
    }
    let column_labels = (0..10).map(|digit| digit.to_string()).collect();
    let row_labels = rows.iter().map(|(label, _)| (*label).to_owned()).collect();
    Ok(ImageGrid::new(
        "digits",
        "Ten digits: stored, and damaged in three ways.",
        column_labels,
        row_labels,
        pictures,
    )?)
}

const CENTRES: [(f64, f64); 5] = [(-0.6, -0.5), (0.7, -0.4), (0.1, 0.6), (-0.7, 0.7), (0.0, -0.1)];
const CELLS: usize = 160;

fn places() -> impl Iterator<Item = (f64, f64)> {
    let at = |i: usize| -1.0 + 2.0 * (i as f64 + 0.5) / CELLS as f64;
    (0..CELLS).flat_map(move |row| (0..CELLS).map(move |column| (at(column), at(row))))
}

fn energy() -> report::Result<Field> {
    let frame = Frame::new(("x₁", -1.0, 1.0), ("x₂", -1.0, 1.0))?;
    let energy = |(x, y): (f64, f64)| {
        let near = |&(a, b): &(f64, f64)| (8.0 * (a * x + b * y)).exp();
        0.5 * (x * x + y * y) - CENTRES.iter().map(near).sum::<f64>().ln() / 8.0
    };
    let values = places().map(energy).collect();
    Field::scalar("energy", "Energy before learning", "β = 8.", frame, CELLS, "energy E", values)?
        .with_points("patterns", CENTRES.to_vec())?
        .with_points("a query", vec![(0.3, 0.1)])
}

fn basins() -> report::Result<Field> {
    let frame = Frame::new(("x₁", -1.0, 1.0), ("x₂", -1.0, 1.0))?;
    let nearest = |(x, y): (f64, f64)| {
        let far = |&(a, b): &(f64, f64)| (a - x).hypot(b - y);
        let order = |&i: &usize, &j: &usize| far(&CENTRES[i]).total_cmp(&far(&CENTRES[j]));
        (0..CENTRES.len()).min_by(order).unwrap_or(0)
    };
    let names = (1..=CENTRES.len()).map(|i| format!("pattern {i}")).collect();
    let cells = places().map(nearest).collect();
    Field::categories(
        "basins",
        "Basins of attraction",
        "Nearest pattern.",
        frame,
        CELLS,
        names,
        cells,
    )?
    .with_points("patterns", CENTRES.to_vec())
}

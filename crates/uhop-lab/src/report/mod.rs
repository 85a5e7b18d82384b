//! Reports: a document of text, tables, plots and pictures, and the files made of it.

#[cfg(test)]
mod check;
mod drawing;
mod error;
mod frame;
mod isolines;
mod landscape;
mod legend;
mod looks;
mod model;
mod number;
mod page;
mod palette;
mod picture;
mod plot;
mod raster;
mod ruler;
mod scale_bar;
mod text;
mod write;

pub use error::{Error, Result};
pub(crate) use model::MAX_CATEGORIES;
pub use model::{
    Axis, Block, Chart, Column, Document, Field, Frame, Image, ImageGrid, Point, Role, Scale,
    Section, Series, Table,
};
pub(crate) use write::PAGE;
pub use write::write;

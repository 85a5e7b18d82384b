//! Reports: a document of text, tables, plots and pictures, and the files made of it.

mod error;
mod model;

pub use error::{Error, Result};
pub use model::{
    Axis, Block, Chart, Column, Document, Field, Frame, Image, ImageGrid, Point, Role, Scale,
    Section, Series, Table,
};

//! The document: facts, then sections of blocks.

use std::collections::BTreeSet;

use super::{Chart, Field, ImageGrid, Problem, Table, check_text};
use crate::report::Result;

/// A report: a title, one sentence that says what was found, facts, and sections.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{Document, Section};
///
/// let section = Section::new("Method")?.with("Every query is recalled once.".to_owned());
/// let document = Document::new("Memory size", "The error grows with the memory.")?
///     .with_fact("seeds", "0 to 19")
///     .with_section(section)?;
/// assert_eq!(document.sections().len(), 1);
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    title: String,
    lead: String,
    facts: Vec<(String, String)>,
    sections: Vec<Section>,
    /// Of all figures, so that no file is written twice.
    names: BTreeSet<String>,
}

/// A part of a document with a title of its own.
///
/// # Example
///
/// ```
/// let section = uhop_lab::report::Section::new("Results")?;
/// assert_eq!(section.title(), "Results");
/// assert!(section.blocks().is_empty());
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    title: String,
    blocks: Vec<Block>,
}

/// What a section is made of, one under the other.
///
/// # Example
///
/// ```
/// use uhop_lab::report::Block;
///
/// assert_eq!(Block::from("Text.".to_owned()), Block::Paragraph("Text.".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Plain text.
    Paragraph(String),
    /// Numbers and words.
    Table(Table),
    /// Series over an axis.
    Chart(Chart),
    /// Small pictures in rows and columns.
    Images(ImageGrid),
    /// A function of the plane.
    Field(Field),
}

impl Document {
    /// A document without facts and sections.
    ///
    /// # Errors
    ///
    /// An empty title or lead.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::Document;
    ///
    /// assert_eq!(Document::new("Noise", "Noise hurts.")?.title(), "Noise");
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn new(title: impl Into<String>, lead: impl Into<String>) -> Result<Self> {
        let (title, lead) = (title.into(), lead.into());
        check_text("document", "title", &title)?;
        check_text("document", "lead", &lead)?;
        let (facts, sections, names) = Default::default();
        Ok(Self { title, lead, facts, sections, names })
    }

    /// Adds what made it: the command, and this version of the program.
    pub(crate) fn made_by(self, command: &str) -> Self {
        self.with_fact("command", command)
            .with_fact("version", concat!("uhop ", env!("CARGO_PKG_VERSION")))
    }

    /// Adds a fact: command, version, seeds, data and where they come from.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::Document;
    ///
    /// let document = Document::new("Noise", "Noise hurts.")?.with_fact("seeds", "0 to 19");
    /// assert_eq!(document.facts(), [("seeds".to_owned(), "0 to 19".to_owned())]);
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    #[must_use]
    pub fn with_fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Adds a section at the end.
    ///
    /// # Errors
    ///
    /// A figure named as another one of the document: their files would be one.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Document, Section};
    ///
    /// let document = Document::new("Noise", "Noise hurts.")?.with_section(Section::new("Method")?)?;
    /// assert_eq!(document.sections()[0].title(), "Method");
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn with_section(mut self, section: Section) -> Result<Self> {
        for name in section.blocks.iter().filter_map(Block::figure).map(|(name, _)| name) {
            if !self.names.insert(name.to_owned()) {
                return Err(Problem::Twice { name: name.to_owned() }.into());
            }
        }
        self.sections.push(section);
        Ok(self)
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The sentence under the title.
    pub fn lead(&self) -> &str {
        &self.lead
    }

    /// Names and values of the facts, in the order they were added.
    pub fn facts(&self) -> &[(String, String)] {
        &self.facts
    }

    /// The sections, in the order they were added.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }
}

impl Section {
    /// A section without blocks.
    ///
    /// # Errors
    ///
    /// An empty title.
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_lab::report::Section::new("").is_err());
    /// ```
    pub fn new(title: impl Into<String>) -> Result<Self> {
        let title = title.into();
        check_text("section", "title", &title)?;
        Ok(Self { title, blocks: Vec::new() })
    }

    /// Adds a block at the end: a [`Block`] or what one is made of; a `String` is a paragraph.
    ///
    /// # Example
    ///
    /// ```
    /// let section = uhop_lab::report::Section::new("Method")?.with("Text.".to_owned());
    /// assert_eq!(section.blocks().len(), 1);
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    #[must_use]
    pub fn with(mut self, block: impl Into<Block>) -> Self {
        self.blocks.push(block.into());
        self
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The blocks, in the order they were added.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }
}

impl Block {
    /// The file stem and the title of a figure, empty where it has none; text and tables are no figures.
    pub(crate) fn figure(&self) -> Option<(&str, &str)> {
        match self {
            Self::Paragraph(_) | Self::Table(_) => None,
            Self::Chart(chart) => Some((chart.name(), chart.title())),
            Self::Images(grid) => Some((grid.name(), "")),
            Self::Field(field) => Some((field.name(), field.title())),
        }
    }
}

impl From<String> for Block {
    fn from(text: String) -> Self {
        Self::Paragraph(text)
    }
}

impl From<Table> for Block {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl From<Chart> for Block {
    fn from(chart: Chart) -> Self {
        Self::Chart(chart)
    }
}

impl From<ImageGrid> for Block {
    fn from(grid: ImageGrid) -> Self {
        Self::Images(grid)
    }
}

impl From<Field> for Block {
    fn from(field: Field) -> Self {
        Self::Field(field)
    }
}

//! Which column of a file is read.

use ::parquet::basic::Type;
use ::parquet::schema::types::SchemaDescriptor;

use super::problem::Problem;
use crate::Element;

/// A leaf of the schema that holds rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    pub(super) index: usize,
    pub(super) content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Content {
    Lists(Element),
    Images,
}

/// A leaf of the schema that holds one integer a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct LabelLeaf {
    pub(super) index: usize,
    pub(super) integer: Integer,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Integer {
    I32,
    I64,
}

/// A column of the table, with its leaves.
struct Column<'a> {
    name: &'a str,
    leaves: Vec<usize>,
}

/// The column of this name, or the only one that holds rows.
pub(super) fn choose(
    schema: &SchemaDescriptor,
    name: Option<&str>,
) -> Result<(String, Leaf), Problem> {
    let columns = columns(schema);
    if let Some(name) = name {
        let column = named(&columns, name)?;
        return match leaf(schema, &column.leaves) {
            Ok(leaf) => Ok((name.to_owned(), leaf)),
            Err(found) => Err(Problem::NotRows { name: name.to_owned(), found }),
        };
    }
    let suitable = columns.iter().filter_map(|column| {
        let leaf = leaf(schema, &column.leaves).ok()?;
        Some((column.name, leaf))
    });
    only(suitable).map_err(|several| match several {
        Some(found) => Problem::Several { found },
        None => Problem::NoColumn { found: names(&columns) },
    })
}

/// The column of labels of this name, or the only one of `is_class`, or the only one of integers.
pub(super) fn choose_labels(
    schema: &SchemaDescriptor,
    name: Option<&str>,
    is_class: &dyn Fn(&str) -> bool,
) -> Result<(String, LabelLeaf), Problem> {
    let columns = columns(schema);
    if let Some(name) = name {
        let column = named(&columns, name)?;
        return match label_leaf(schema, &column.leaves) {
            Some(leaf) => Ok((name.to_owned(), leaf)),
            None => Err(Problem::NotLabels { name: name.to_owned() }),
        };
    }
    let integers = || {
        columns.iter().filter_map(|column| {
            let leaf = label_leaf(schema, &column.leaves)?;
            Some((column.name, leaf))
        })
    };
    let classes = || integers().filter(|(name, _)| is_class(name));
    let found = if classes().next().is_some() { only(classes()) } else { only(integers()) };
    found.map_err(|several| match several {
        Some(found) => Problem::SeveralLabels { found },
        None => Problem::NoLabels { found: names(&columns) },
    })
}

/// The only one, or the names when there are several.
fn only<'a, T>(
    mut suitable: impl Iterator<Item = (&'a str, T)>,
) -> Result<(String, T), Option<String>> {
    match (suitable.next(), suitable.next()) {
        (Some((name, leaf)), None) => Ok((name.to_owned(), leaf)),
        (Some((first, _)), Some((second, _))) => {
            let others = suitable.map(|(name, _)| name);
            Err(Some(crate::bytes::names([first, second].into_iter().chain(others))))
        }
        (None, _) => Err(None),
    }
}

fn named<'c, 'a>(columns: &'c [Column<'a>], name: &str) -> Result<&'c Column<'a>, Problem> {
    let mut named = columns.iter().filter(|column| column.name == name);
    let name = || name.to_owned();
    match (named.next(), named.next()) {
        (Some(column), None) => Ok(column),
        (Some(_), Some(_)) => Err(Problem::Twice { name: name() }),
        (None, _) => Err(Problem::Missing { name: name(), found: names(columns) }),
    }
}

fn names(columns: &[Column<'_>]) -> String {
    crate::bytes::names(columns.iter().map(|column| column.name))
}

fn columns(schema: &SchemaDescriptor) -> Vec<Column<'_>> {
    let mut columns = Vec::new();
    let mut leaves = (0..schema.num_columns()).peekable();
    while let Some(first) = leaves.next() {
        let root = schema.get_column_root_idx(first);
        let mut all = vec![first];
        while let Some(index) = leaves.next_if(|&leaf| schema.get_column_root_idx(leaf) == root) {
            all.push(index);
        }
        columns.push(Column { name: schema.get_column_root(first).name(), leaves: all });
    }
    columns
}

/// The leaf of a column of one integer a row.
fn label_leaf(schema: &SchemaDescriptor, leaves: &[usize]) -> Option<LabelLeaf> {
    let &[index] = leaves else { return None };
    let column = schema.column(index);
    let integer = match column.physical_type() {
        Type::INT32 => Integer::I32,
        Type::INT64 => Integer::I64,
        _ => return None,
    };
    let is_plain = column.max_rep_level() == 0 && column.path().parts().len() == 1;
    is_plain.then_some(LabelLeaf { index, integer })
}

/// What to read of a column with these leaves.
fn leaf(schema: &SchemaDescriptor, leaves: &[usize]) -> Result<Leaf, String> {
    if let &[index] = leaves {
        let column = schema.column(index);
        // A list stands in its column, or in the groups "list" and "element" inside of it.
        let is_list = column.max_rep_level() == 1 && column.path().parts().len() <= 3;
        let element = match column.physical_type() {
            Type::FLOAT => Some(Element::F32),
            Type::DOUBLE => Some(Element::F64),
            _ => None,
        };
        match element {
            Some(element) if is_list => {
                return Ok(Leaf { index, content: Content::Lists(element) });
            }
            _ if column.max_rep_level() == 0 && column.path().parts().len() == 1 => {
                return Err(format!("one {} a row", column.physical_type()));
            }
            _ if is_list => return Err(format!("lists of {}", column.physical_type())),
            _ => {}
        }
    }
    let binary = |name: &str| {
        leaves.iter().copied().find(|&leaf| {
            let column = schema.column(leaf);
            let is_inside = matches!(column.path().parts(), [_, inner] if inner == name);
            let is_binary = column.physical_type() == Type::BYTE_ARRAY;
            is_inside && is_binary && column.max_rep_level() == 0
        })
    };
    match (leaves.len(), binary("bytes"), binary("path")) {
        (2, Some(index), Some(_)) | (1, Some(index), None) => {
            Ok(Leaf { index, content: Content::Images })
        }
        (n, ..) => Err(format!("a structure of {n} columns")),
    }
}

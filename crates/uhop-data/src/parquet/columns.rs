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

/// A column of the table, with the leaf to read or what it is instead.
struct Column<'a> {
    name: &'a str,
    leaf: Result<Leaf, String>,
}

/// The column of this name, or the only one that holds rows.
pub(super) fn choose(
    schema: &SchemaDescriptor,
    name: Option<&str>,
) -> Result<(String, Leaf), Problem> {
    let columns = columns(schema);
    let found = || crate::bytes::names(columns.iter().map(|column| column.name));
    let Some(name) = name else {
        let mut suitable = columns.iter().filter(|column| column.leaf.is_ok());
        return match (suitable.next(), suitable.next()) {
            (Some(Column { name, leaf: Ok(leaf) }), None) => Ok(((*name).to_owned(), *leaf)),
            (Some(first), Some(second)) => {
                let several = [first, second].into_iter().chain(suitable);
                let found = crate::bytes::names(several.map(|column| column.name));
                Err(Problem::Several { found })
            }
            _ => Err(Problem::NoColumn { found: found() }),
        };
    };
    let mut named = columns.iter().filter(|column| column.name == name);
    let name = name.to_owned();
    match (named.next(), named.next()) {
        (Some(column), None) => match &column.leaf {
            Ok(leaf) => Ok((name, *leaf)),
            Err(found) => Err(Problem::NotRows { name, found: found.clone() }),
        },
        (Some(_), Some(_)) => Err(Problem::Twice { name }),
        (None, _) => Err(Problem::Missing { name, found: found() }),
    }
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
        columns
            .push(Column { name: schema.get_column_root(first).name(), leaf: leaf(schema, &all) });
    }
    columns
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

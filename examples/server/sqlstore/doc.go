// Package sqlstore keeps the records of package controlserver in SQLite. Each kind has a table, with the columns that are
// searched beside the record's JSON document; the log of events has one too.
//
// What is true only while the server runs, such as who is online, is not stored. Ask the registries for it.
package sqlstore

// Package sqlstore keeps the reference server's records in SQLite: settings, users, device groups, devices, the reports
// that devices make of themselves, and events. Each kind has a table, with the columns that are searched beside a JSON
// document that holds the rest.
//
// What is true only while the server runs, such as who is online, is not stored. Ask the registries for it.
package sqlstore

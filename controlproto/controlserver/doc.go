// Package controlserver is what a server does when operators ask: accounts, groups, rights, devices, commands, events,
// shares. It is the behaviour behind package controlproto's sessions, over four interfaces:
//
//   - [Store] keeps records; [MemoryStore] is one in memory.
//   - [Router] reaches the agents of devices.
//   - [Presence] knows which devices are there now; there is one in memory.
//   - [Bus] carries events, so that several servers can share them; there is one in memory.
//
// A server that supplies storage and a way to its agents works: see the example. Each verb can be replaced, or others added, in
// the [controlproto.Mux] that [Server.Mux] returns.
package controlserver

// Package controlproto is MeshCentral's control channel, the JSON protocol between operators and a server, for both sides:
// clients that script a fleet, and servers that stock clients cannot tell from MeshCentral.
//
// A message is a JSON object with an "action". There is one struct for each, in the msg_*.go files, and one for each record
// that they carry ([User], [UserGroup], [DeviceGroup], [Device], [Event], ...). Members that a struct does not name are kept in
// its Extra.
//
// Clients start with [Dial]; servers with [Server], and with package controlserver for what the actions do.
//
// Texts that come from devices (names, descriptions, outputs of commands) are whatever somebody with a device sent. They
// are not safe as HTML, on a terminal, or as an argument of a command.
package controlproto

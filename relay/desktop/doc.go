// Package desktop is the desktop protocol of MeshCentral (KVM, protocol number 2): pictures of a screen one way, keys and
// mouse the other, as binary messages of a tunnel.
//
// Every command is a type here, those of the agent ([ParseFromAgent]) and those of the viewer ([ParseFromViewer]); each has
// Append. [Splitter] finds the commands in messages.
//
// [Viewer] is the state of a viewer without any I/O: what it is given becomes a picture ([Canvas]) with the parts that
// changed, and what is to be answered. [Client] runs it over a connection. [Encoder] turns pictures into tiles, and [Agent]
// runs it over a connection, within a budget of bytes and frames. [Multiplexor] lets several viewers share one agent.
// [Frames] turns a recording into pictures.
//
// The layout was confirmed in public/scripts/agent-desktop-0.0.2.js, meshdesktopmultiplex.js and agents/meshcore.js, and in
// meshcore/meshdefines.h and meshcore/KVM of the native agent.
package desktop

// Package amt has the classes of Intel AMT whose names start with AMT_: settings, accounts, certificates, logs, CIRA,
// redirection, setup. Those that AMT has of the CIM schema are in package cim, and Intel's other ones in package ips.
//
// The files that end in _gen.go are generated from the tables in internal/wsmangen/tables. A class is a struct that
// [wsman.Get], [wsman.Put] and [wsman.Enumerate] handle; a method is a struct of its parameters, with a method Invoke:
//
//	gs, err := wsman.Get[amt.GeneralSettings](ctx, c)
//	gs.HostName = "pc1"
//	gs, err = wsman.Put(ctx, c, gs)
//	out, err := (&amt.PublicKeyManagementServiceAddTrustedRootCertificate{CertificateBlob: der}).Invoke(ctx, c)
//
// Firmware takes a property that a Put lacks for one that shall be unset: read, change, write. A struct that was read is
// written with the properties that the answer had; text that is empty is left out.
//
// Programs that handle classes by their names, such as simulators, have [New], [NewInput], [NewOutput], [Classes] and
// [Methods].
package amt

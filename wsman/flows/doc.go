// Package flows does with a device what people want of it: read its inventory and its logs, switch it on, boot it from
// somewhere else, activate it, set up its network, its users and its way to call a server. Each flow is some calls in an order that
// firmware accepts.
//
//	d := flows.Device{Client: c}
//	inventory, err := d.Inventory(ctx)
//	power, err := d.SetPower(ctx, cim.PowerStateOn)
//
// A flow names its steps, to OnStep as they begin and in the error of the one that failed ([StepError]). Flows look before they
// change anything, and change only what is different: the flash memory of firmware wears out. So one that failed half way can be
// called again and goes on where it was; where more is to be said, its documentation does.
package flows

package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// amtVerbs add devices with Intel AMT.
func (s *Server) amtVerbs(m *controlproto.Mux) { controlproto.On(m, s.importAMTDevices) }

// migrated is a device in a file of Intel's migration tool.
type migrated struct {
	FQDN     string              `json:"Fqdn"`
	IPv4     string              `json:"IPv4"`
	Version  string              `json:"AmtVersion"`
	Password controlproto.Secret `json:"ConfiguredPassword"`
	UUID     string              `json:"Uuid"`
	Type     string              `json:"ConnectionType"`
}

// importFile is what "amtdevices" may be in place of a list: a file of Intel's migration tool, or of MeshCommander.
type importFile struct {
	Application struct {
		Name string `json:"Application"`
	} `json:"ApplicationData"`
	Systems struct {
		List []migrated `json:"ManagedSystemsList"`
	} `json:"ManagedSystems"`
	Version   string                         `json:"webappversion"`
	Computers []controlproto.ImportAMTDevice `json:"computers"`
}

// importedDevices are the devices in a request, in one form.
func importedDevices(req *controlproto.ImportAMTDevices) ([]controlproto.ImportAMTDevice, error) {
	if req.Devices != nil {
		return req.Devices, nil
	}
	file := req.Extra["amtdevices"]
	if len(file) == 0 || file[0] != '{' {
		return nil, nil
	}
	var f importFile
	if err := jsonrec.Unmarshal(file, &f); err != nil {
		return nil, err
	}
	list := []controlproto.ImportAMTDevice{}
	if f.Application.Name == "Intel vPro(R) Manageability Migration Tool" {
		for _, m := range f.Systems.List {
			d := controlproto.ImportAMTDevice{FQDN: m.FQDN, Version: m.Version, Password: m.Password, UUID: m.UUID}
			if d.FQDN == "" {
				d.FQDN = m.IPv4
			}
			if m.Type == "TLS" {
				d.TLS = json.RawMessage("1")
			}
			list = append(list, d)
		}
	}
	if f.Version != "" {
		for _, d := range f.Computers {
			d.FQDN, d.Username = text(d.Extra["host"]), text(d.Extra["user"])
			d.Password, d.Version = controlproto.NewSecret(text(d.Extra["pass"])), text(d.Extra["ver"])
			list = append(list, d)
		}
	}
	return list, nil
}

// importAMTDevices adds devices with Intel AMT to a group. Those without an address, and the second with the same, are left out.
func (s *Server) importAMTDevices(ctx context.Context, c *controlproto.Call, req *controlproto.ImportAMTDevices) error {
	g := s.group(req.GroupID) // a whole id
	if g == nil || g.ID.Domain() != c.Session.Domain() || g.GroupType != controlproto.GroupAMT {
		return nil
	}
	if r, _ := s.rights(c.Session.UserID(), g.ID, ""); !r.Has(controlproto.EditGroup) {
		return nil
	}
	list, err := importedDevices(req)
	if err != nil {
		return err
	}
	seen := map[string]bool{"": true, "127.0.0.1": true, "localhost": true}
	var devices []*controlproto.Device
	for i := range list {
		host := strings.ToLower(list[i].FQDN)
		if seen[host] {
			continue
		}
		seen[host] = true
		d, err := s.importedDevice(g, &list[i])
		if err != nil {
			return err
		}
		devices = append(devices, d)
	}
	return s.Update(ctx, func(tx *Tx) error {
		var all error
		for _, d := range devices {
			all = errors.Join(all, tx.addImported(c.Session.User(), g, d))
		}
		return all
	})
}

func (s *Server) importedDevice(g *controlproto.DeviceGroup, from *controlproto.ImportAMTDevice) (*controlproto.Device, error) {
	id, err := s.newID(controlproto.KindDevice, g.ID.Domain())
	if err != nil {
		return nil, err
	}
	d := &controlproto.Device{
		Type: controlproto.KindDevice, ID: id, Group: g.ID, MeshType: controlproto.GroupAMT, Icon: controlproto.IconDesktop,
		Name: from.FQDN, Host: from.FQDN, Domain: id.Domain(), Desc: from.Desc,
		AMT: &controlproto.DeviceAMT{
			User: "admin", Password: from.Password, Version: from.Version, Realm: from.DigestRealm, UUID: from.UUID, Hash: from.TLSCertHash, State: new(2),
		},
	}
	if from.Name != "" {
		d.Name = from.Name
	}
	if from.Icon != 0 {
		d.Icon = from.Icon
	}
	if from.Username != "" {
		d.AMT.User = from.Username
	}
	if tls := string(from.TLS); tls == "true" || tls == "1" {
		d.AMT.TLS = new(1)
	}
	if v, there, ok := number(from.State); there && ok && v >= 0 && v <= 3 {
		d.AMT.State = new(int(v))
	}
	return d, nil
}

func (t *Tx) addImported(by *controlproto.User, g *controlproto.DeviceGroup, d *controlproto.Device) error {
	if err := t.AddDevice(d); err != nil {
		return err
	}
	shown := *d
	hideSecrets(&shown)
	return t.tell(groupTargets(g, string(d.ID)), by, controlproto.Event{
		Type: "node", Action: "addnode", Domain: d.Domain, MsgID: 84, MsgArgs: args(d.Name, g.Name),
		Msg: fmt.Sprintf("Added device %s to device group %s", d.Name, g.Name),
	}, detail{"node", &shown})
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/nodeid"
)

// stockFactors are the second factors of an account in MeshCentral's database.
type stockFactors struct {
	TOTP controlproto.Secret `json:"otpsecret"`
	Keys struct {
		Keys []struct {
			Code   int64 `json:"p"`
			Unused bool  `json:"u"`
		} `json:"keys"`
	} `json:"otpkeys"`
	Hardware json.RawMessage `json:"otphkeys"`
	Email    json.RawMessage `json:"otpekey"`
	Duo      json.RawMessage `json:"otpduo"`
	Device   json.RawMessage `json:"otpdev"`
}

// others tells whether there is a second factor that this server does not have.
func (f *stockFactors) others() bool {
	for _, raw := range []json.RawMessage{f.Hardware, f.Email, f.Duo, f.Device} {
		switch string(raw) {
		case "", "null", "[]", "{}", "false", "0":
		default:
			return true
		}
	}
	return false
}

// account takes over an account with its password, which is hashed anew at its next login.
func (i *stockImport) account(text string, doc []byte) (bool, error) {
	id, ok := ofKind(text, controlproto.KindUser)
	a := &controlserver.Account{}
	var f stockFactors
	if jsonrec.Unmarshal(doc, a) != nil || jsonrec.Unmarshal(doc, &f) != nil || !ok {
		return false, nil
	}
	if known, err := i.exists(controlserver.KindAccount, text); err != nil || known {
		return true, err
	}
	a.Type, a.ID, a.Domain = controlproto.KindUser, id, id.Domain()
	a.Links = unescapedLinks(a.Links)
	if a.Name == "" {
		a.Name = id.Name()
	}
	// What is only told to be there, and what has no name here, may be a secret in that database.
	a.Extra = nil
	a.OTPSecret, a.OTPKeys, a.HardwareKeys, a.OTPEmail, a.OTPDuo, a.OTPDevice, a.WebPush = 0, nil, 0, 0, 0, 0, 0
	a.PasswordHash, a.TOTPSecret, a.TOTPStep, a.BackupCodes = controlproto.Secret{}, f.TOTP, 0, nil
	for _, k := range f.Keys.Keys {
		if k.Code >= 0 && k.Code < 1e8 {
			a.BackupCodes = append(a.BackupCodes, controlserver.BackupCode{
				Code: controlproto.NewSecret(fmt.Sprintf("%08d", k.Code)), Used: !k.Unused,
			})
		}
	}
	if f.others() && f.TOTP.Reveal() == "" {
		// Its password alone was not enough, and shall not be now.
		a.StockSalt, a.StockHash = controlproto.Secret{}, controlproto.Secret{}
		i.noPassword = append(i.noPassword, text)
	}
	return i.put(controlserver.KindAccount, text, "", a)
}

func (i *stockImport) userGroup(text string, doc []byte) (bool, error) {
	id, ok := ofKind(text, controlproto.KindUserGroup)
	g := &controlproto.UserGroup{}
	if jsonrec.Unmarshal(doc, g) != nil || !ok {
		return false, nil
	}
	g.Type, g.ID, g.Domain, g.Links, g.Extra = controlproto.KindUserGroup, id, id.Domain(), unescapedLinks(g.Links), nil
	return i.put(controlserver.KindUserGroup, text, "", g)
}

func (i *stockImport) token(_ string, doc []byte) (bool, error) {
	var d struct {
		controlproto.LoginTokenRecord
		UserID controlproto.ID     `json:"userid"`
		Salt   string              `json:"salt"`
		Hash   controlproto.Secret `json:"hash"`
	}
	if jsonrec.Unmarshal(doc, &d) != nil || !strings.HasPrefix(d.TokenUser, "~t:") || d.UserID.Kind() != controlproto.KindUser || d.Hash.Reveal() == "" {
		return false, nil
	}
	d.Extra = nil
	t := &controlserver.LoginToken{
		LoginTokenRecord: d.LoginTokenRecord, UserID: d.UserID,
		Hash: controlserver.StockTokenHash(controlproto.StockPassword{Salt: d.Salt, Hash: d.Hash}),
	}
	return i.put(controlserver.KindLoginToken, d.TokenUser, string(d.UserID), t)
}

func (i *stockImport) share(_ string, doc []byte) (bool, error) {
	s := &controlproto.Share{}
	if jsonrec.Unmarshal(doc, s) != nil || s.PublicID == "" || s.DeviceID.Kind() != controlproto.KindDevice {
		return false, nil
	}
	if known, err := i.exists(controlserver.KindDevice, string(s.DeviceID)); err != nil || !known {
		return false, err
	}
	s.Extra = nil
	return i.put(controlserver.KindShare, s.PublicID, string(s.DeviceID), s)
}

// The texts of that database are of agents, and were stored as they came.
func cleanName(s string) string { return agentproto.CleanAgentString(s, 255).String() }
func cleanLine(s string) string { return agentproto.CleanAgentString(s, 1024).String() }
func cleanText(s string) string { return agentproto.CleanAgentText(s, 4096).String() }

// nameless is what a device is called that does not say its name.
func nameless(key nodeid.NodeKey) string { return "device " + key.ID.String()[:8] }

package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/flows"
)

// Words of wireless networks.
var (
	wifiAuths = map[string]cim.AuthenticationMethod{ //nolint:gochecknoglobals // constant
		"open": cim.AuthenticationMethodOpen, "wpa-psk": cim.AuthenticationMethodWPAPSK, "wpa2-psk": cim.AuthenticationMethodWPA2PSK,
		"wpa-8021x": cim.AuthenticationMethodWPAIEEE8021x, "wpa2-8021x": cim.AuthenticationMethodWPA2IEEE8021x,
		"wpa3-sae": cim.AuthenticationMethodWPA3SAE, "wpa3-owe": cim.AuthenticationMethodWPA3OWE,
	}
	wifiCiphers = map[string]cim.EncryptionMethod{ //nolint:gochecknoglobals // constant
		"ccmp": cim.EncryptionMethodCCMP, "tkip": cim.EncryptionMethodTKIP, "wep": cim.EncryptionMethodWEP, "none": cim.EncryptionMethodNone,
	}
	wifiRadios = map[string]cim.WiFiPortState{ //nolint:gochecknoglobals // constant
		"off": cim.WiFiPortStateDisabled, "on": cim.WiFiPortStateEnabledInS0, "always": cim.WiFiPortStateEnabledInS0AndSx,
	}
	wifiSyncs = map[string]amt.ProfileSync{ //nolint:gochecknoglobals // constant
		"off": amt.ProfileSyncDisabled, "user": amt.ProfileSyncUser, "all": amt.ProfileSyncUnrestricted,
	}
	// wifiSettable are the methods that this tool can set: the others need accounts and certificates.
	wifiSettable = map[string]cim.AuthenticationMethod{ //nolint:gochecknoglobals // constant
		"wpa-psk": cim.AuthenticationMethodWPAPSK, "wpa2-psk": cim.AuthenticationMethodWPA2PSK, "wpa3-sae": cim.AuthenticationMethodWPA3SAE,
	}
)

// wifiReply is what wifi show prints as JSON.
type wifiReply struct {
	Radio    string        `json:"radio"`
	Sync     string        `json:"sync"`
	Profiles []wifiProfile `json:"profiles"`
}

type wifiProfile struct {
	Name       string `json:"name"`
	SSID       string `json:"ssid"`
	Auth       string `json:"auth"`
	Encryption string `json:"encryption"`
	Priority   uint8  `json:"priority"`
}

// wifiCommands are the commands about wireless networks.
func (a *app) wifiCommands() []*cobra.Command {
	show := a.on("show", "Show the wireless networks that the device joins", cobra.NoArgs, showWiFi)
	remove := a.on("remove NAME", "Remove a profile", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		if err := s.dev.RemoveWiFiProfile(ctx, args[0]); err != nil {
			return err
		}
		return s.done("ok", field{"name", args[0]})
	})
	return []*cobra.Command{group("wifi", "Wireless networks", show, a.wifiSet(), remove, a.wifiRadio())}
}

func showWiFi(ctx context.Context, s *session, _ []string) error {
	w, err := s.dev.WiFiState(ctx)
	if err != nil {
		return err
	}
	r := wifiReply{wordOf(wifiRadios, w.Port), wordOf(wifiSyncs, w.Sync), []wifiProfile{}}
	t := &table{columns: []string{"profile", "ssid", "auth", "encryption", "priority"}, none: "No profiles"}
	for _, p := range w.Profiles {
		profile := wifiProfile{p.ElementName, p.SSID, wordOf(wifiAuths, p.AuthenticationMethod), wordOf(wifiCiphers, p.EncryptionMethod), p.Priority}
		r.Profiles = append(r.Profiles, profile)
		t.add(profile.Name, profile.SSID, profile.Auth, profile.Encryption, strconv.Itoa(int(profile.Priority)))
	}
	if s.flags.json {
		return s.printJSON(r)
	}
	if err := s.println(console.Clean("Radio: " + r.Radio + ", profiles of the operating system: " + r.Sync)); err != nil {
		return err
	}
	return s.list(t, nil)
}

func (a *app) wifiSet() *cobra.Command {
	var ssid, auth, cipher, file string
	var priority uint8
	c := a.on("set NAME", "Add a profile with a passphrase, or change one", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		p := flows.WiFiProfile{Name: args[0], SSID: ssid, Priority: priority}
		var err error
		if p.Auth, err = choice("--auth", auth, wifiSettable); err != nil {
			return err
		}
		if p.Encryption, err = choice("--encryption", cipher, wifiCiphers); err != nil {
			return err
		}
		p.Passphrase, err = s.newSecret(ctx, secretSource{
			what: "passphrase of " + ssid, env: "AMTCTL_WIFI_PASSPHRASE", file: file, flag: "passphrase-file",
		})
		if err != nil {
			return err
		}
		if err := s.dev.SetWiFiProfile(ctx, p); err != nil {
			return err
		}
		return s.done("ok", field{"name", p.Name})
	})
	c.Long = c.Short + ".\n\nThe passphrase is in AMTCTL_WIFI_PASSPHRASE or --passphrase-file, or is asked for."
	c.Flags().StringVar(&ssid, "ssid", "", "`NAME` of the network")
	c.Flags().StringVar(&auth, "auth", "wpa2-psk", "`METHOD`: wpa-psk, wpa2-psk or wpa3-sae")
	c.Flags().StringVar(&cipher, "encryption", "ccmp", "`METHOD`: ccmp or tkip")
	c.Flags().Uint8Var(&priority, "priority", 0, "`NUMBER` from 1, each profile another one; 0 is the lowest that is free")
	c.Flags().StringVar(&file, "passphrase-file", "", "`FILE` with the passphrase")
	return need(c, "ssid")
}

func (a *app) wifiRadio() *cobra.Command {
	var sync string
	c := a.on("radio off|on|always", "Set when the radio is on", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		state, err := choice("radio", args[0], wifiRadios)
		if err != nil {
			return err
		}
		w, err := s.dev.WiFiState(ctx)
		if err != nil {
			return err
		}
		if s.changed("sync") {
			if w.Sync, err = choice("--sync", sync, wifiSyncs); err != nil {
				return err
			}
		}
		if err := s.dev.SetWiFi(ctx, state, w.Sync); err != nil {
			return err
		}
		return s.done("ok", field{"radio", args[0]})
	})
	c.Long = c.Short + ": always is also while the host sleeps or is off."
	c.Flags().StringVar(&sync, "sync", "", "which profiles of the operating system are taken over: `off|user|all`")
	return c
}

package wsmantest

// buildRest makes the classes that only have something to show.
func (d *Device) buildRest() {
	title := func(class, text string, pairs ...any) *object {
		o := newObject(class, pairs...)
		o.set("ElementName", text)
		o.set("InstanceID", text)
		return o
	}
	scheme := d.define(&class{name: "AMT_SystemPowerScheme", keys: []string{"InstanceID", "SchemeGUID"}})
	for i, text := range []string{"Desktop: ON in S0", "Desktop: ON in S0, ME Wake in S3, S4-5"} {
		scheme.objects = append(scheme.objects, newObject(scheme.name, "Description", text, "ElementName", "Power Scheme",
			"InstanceID", []string{"F3DE1E5A-1D1B-4C2B-8B4A-3A8A3C6A0A01", "F3DE1E5A-1D1B-4C2B-8B4A-3A8A3C6A0A02"}[i],
			"SchemeGUID", []string{"F3DE1E5A1D1B4C2B8B4A3A8A3C6A0A01", "F3DE1E5A1D1B4C2B8B4A3A8A3C6A0A02"}[i]))
	}
	d.state.scheme = scheme.objects[1]
	scheme.methods["SetPowerScheme"] = func(c *call) (int, *fault) {
		if len(c.req.Selectors) == 0 || c.object == nil {
			return 0, invalidSelectors()
		}
		d.state.scheme = c.object
		d.emit(EventPower, "power scheme %q", c.object.get("Description"))
		return ok, nil
	}
	kerberos := title("AMT_KerberosSettingData", "Intel(r) AMT: Kerberos Settings", "KeyVersion", 0, "KrbEnabled", false, "MaximumClockTolerance", 5,
		"RealmName", "")
	d.define(&class{name: kerberos.class, keys: []string{"InstanceID"}, methods: map[string]method{
		"GetCredentialCacheState": func(c *call) (int, *fault) { c.set("Enabled", d.state.kerberosCache); return ok, nil },
		"SetCredentialCacheState": func(c *call) (int, *fault) { d.state.kerberosCache = c.flag("Enable"); return ok, nil },
	}, put: func(*request, *object, *object) *fault { return nil }}, kerberos)
	web := service("AMT_WebUIService", "Intel(r) AMT Web UI Service", "EnabledState", 2, "RequestedState", 12)
	d.define(&class{name: web.class, keys: serviceKeys, methods: map[string]method{"RequestStateChange": d.requestStateChange(EventSettings, 2, 3)}}, web)
	io := service("IPS_SecIOService", "Intel(r) AMT SecIO Service", "DefaultScreen", 0, "EnabledState", 2, "NumberOfScreens", 1, "RequestedLanguage", 0, "RequestedState", 12,
		"language", 0, "zoom", 0)
	d.define(&class{name: io.class, keys: serviceKeys, methods: map[string]method{"RequestStateChange": d.requestStateChange(EventSettings, 2, 3)},
		put: func(*request, *object, *object) *fault { return nil }}, io)
	screen := title("IPS_ScreenSettingData", "Intel(r) Screen Settings", "IsActive", []int{1, 0, 0}, "PrimaryIndex", 0, "SecondaryIndex", 1,
		"ResolutionX", []int{1920, 0, 0}, "ResolutionY", []int{1080, 0, 0}, "UpperLeftX", []int{0, 0, 0}, "UpperLeftY", []int{0, 0, 0})
	d.define(&class{name: screen.class, keys: []string{"InstanceID"}, methods: map[string]method{"ResetToDefault": func(*call) (int, *fault) { return ok, nil }}}, screen)
	if d.prof.major >= 12 {
		blank := service("IPS_ScreenConfigurationService", "Intel(r) AMT Screen Configuration Service", "ActualState", 0, "CurrentState", 0, "EnabledState", 2)
		d.define(&class{name: blank.class, keys: serviceKeys, methods: map[string]method{"SetSessionState": func(c *call) (int, *fault) {
			n, given := c.num("SessionState")
			if !given || n < 0 || n > 1 {
				return cimInvalidParameter, nil
			}
			blank.set("CurrentState", n)
			blank.set("ActualState", n)
			return ok, nil
		}}}, blank)
	}
	d.fixed(service("CIM_AccountManagementService", "Intel(r) AMT Account Management Service", "EnabledState", 5))
	d.define(&class{name: "CIM_Account", keys: []string{"CreationClassName", "Name", "SystemCreationClassName", "SystemName"}, list: func() (out []*object) {
		for _, u := range append([]*account{d.state.accounts.admin}, d.state.accounts.users...) {
			if u.sid == "" {
				out = append(out, newObject("CIM_Account", "CreationClassName", "CIM_Account", "ElementName", u.name, "EnabledState", map[bool]int{false: 3, true: 2}[u.enabled],
					"Name", u.name, "SystemCreationClassName", computer, "SystemName", amtSystem, "UserID", u.name))
			}
		}
		return out
	}})
	d.define(&class{name: "CIM_CredentialContext", of: []string{
		"AMT_TLSCredentialContext", "AMT_8021xCredentialContext", "IPS_8021xCredentialContext", "AMT_RemoteAccessCredentialContext",
	}})
	// Lists that are empty on a device as it was delivered.
	for _, name := range []string{
		"AMT_AgentPresenceWatchdog", "AMT_AgentPresenceWatchdogAction", "AMT_AgentPresenceWatchdogVA", "AMT_AssetTable", "AMT_AuditPolicyRule",
		"AMT_HeuristicPacketFilterStatistics", "AMT_Hdr8021Filter", "AMT_SystemDefensePolicy", "CIM_StatisticalData",
	} {
		d.define(&class{name: name})
	}
	d.fixed(service("AMT_AssetTableService", "Intel(r) AMT Asset Table Service", "EnabledState", 5))
	if d.prof.major < 12 {
		d.fixed(service("AMT_EndpointAccessControlService", "Intel(r) AMT Endpoint Access Control Service", "EnabledState", 3))
	}
}

// PowerScheme returns the description of the power package in force.
func (d *Device) PowerScheme() string {
	d.mu.Lock()
	defer d.unlock()
	return d.state.scheme.get("Description")
}

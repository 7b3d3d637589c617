package matrix

import (
	"math"
	"testing"
)

// The versions in which each predicate holds, from the text of rooms/v1 to rooms/v12.
func TestRoomVersionPredicates(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, last int
		holds       func(*RoomVersion) bool
	}{
		{"stable", 1, 12, func(v *RoomVersion) bool { return v.Stable }},
		{"pairs in prev_events", 1, 2, (*RoomVersion).IsPaired},
		{"event ids made by servers", 1, 2, func(v *RoomVersion) bool { return v.EventIDFormat == EventIDServerMade }},
		{"event ids in standard base64", 3, 3, func(v *RoomVersion) bool { return v.EventIDFormat == EventIDHash }},
		{"event ids in URL-safe base64", 4, 12, func(v *RoomVersion) bool { return v.EventIDFormat == EventIDURLHash }},
		{"state resolution 1", 1, 1, func(v *RoomVersion) bool { return v.StateRes == StateRes1 }},
		{"state resolution 2", 2, 11, func(v *RoomVersion) bool { return v.StateRes == StateRes2 }},
		{"state resolution 2.1", 12, 12, func(v *RoomVersion) bool { return v.StateRes == StateRes21 }},
		{"aliases rule", 1, 5, func(v *RoomVersion) bool { return v.SpecialAliasAuth }},
		{"redaction rule", 1, 2, func(v *RoomVersion) bool { return v.RedactionAuth }},
		{"key validity", 5, 12, func(v *RoomVersion) bool { return v.EnforceKeyValidity }},
		{"canonical JSON enforced", 6, 12, func(v *RoomVersion) bool { return v.StrictCanonicalJSON }},
		{"depth of 53 bits", 6, 12, func(v *RoomVersion) bool { return v.MaxDepth == 1<<53-1 }},
		{"depth of 63 bits", 1, 5, func(v *RoomVersion) bool { return v.MaxDepth == math.MaxInt64 }},
		{"notifications rule", 6, 12, func(v *RoomVersion) bool { return v.NotificationsPowerAuth }},
		{"float power levels", 1, 5, func(v *RoomVersion) bool { return v.PowerLevels == PowerLevelFloats }},
		{"string power levels", 6, 9, func(v *RoomVersion) bool { return v.PowerLevels == PowerLevelStrings }},
		{"integer power levels", 10, 12, func(v *RoomVersion) bool {
			return v.PowerLevels == PowerLevelIntegers && v.IntegerPowerLevels
		}},
		{"knocking", 7, 12, func(v *RoomVersion) bool { return v.Knocking }},
		{"restricted", 8, 12, func(v *RoomVersion) bool { return v.Restricted }},
		{"knock_restricted", 10, 12, func(v *RoomVersion) bool { return v.KnockRestricted }},
		{"redaction of version 11", 11, 12, func(v *RoomVersion) bool { return v.UpdatedRedaction }},
		{"redacts in content", 11, 12, func(v *RoomVersion) bool { return v.RedactsInContent }},
		{"creator is sender", 11, 12, func(v *RoomVersion) bool { return v.CreatorIsSender }},
		{"room id is a hash", 12, 12, func(v *RoomVersion) bool { return v.RoomIDIsCreateHash }},
		{"privileged creators", 12, 12, func(v *RoomVersion) bool { return v.PrivilegedCreators }},
	} {
		for i, v := range Versions() {
			if n := i + 1; c.holds(v) != (c.first <= n && n <= c.last) {
				t.Errorf("%s: %v in version %s", c.name, c.holds(v), v.Version)
			}
		}
	}
}

func TestLookupVersion(t *testing.T) {
	for _, v := range Versions() {
		if got, ok := LookupVersion(v.Version); !ok || got != v {
			t.Errorf("version %s is not found", v.Version)
		}
	}
	for _, name := range []Version{"", "0", "13", "01", "1 ", "org.example.1"} {
		if _, ok := LookupVersion(name); ok {
			t.Errorf("version %q was found", name)
		}
	}
	if _, ok := LookupVersion(DefaultVersion); !ok {
		t.Error("the default version is unknown")
	}
}

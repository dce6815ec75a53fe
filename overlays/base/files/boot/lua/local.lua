-- The root is the slot that the loader itself came from, found by its label on whatever bus the
-- disk is. Both slots hold the same bytes after an upgrade, so nothing in them can say which is
-- which.
local slots = { ["3"] = "rootA", ["4"] = "rootB" }
local slot = slots[(loader.getenv("currdev") or ""):match("p(%d+):?$")]

if slot ~= nil then
	loader.setenv("exitisp.slot", slot)
	loader.setenv("vfs.root.mountfrom", "ufs:/dev/gpt/" .. slot)
	loader.setenv("vfs.root.mountfrom.options", "ro")
else
	print("exitisp: " .. tostring(loader.getenv("currdev")) .. " is no slot")
end

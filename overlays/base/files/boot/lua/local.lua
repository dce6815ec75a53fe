-- The root is the slot that the loader itself was read from. It is found by its label, on whatever bus
-- the disk is. After an upgrade both slots may hold the same bytes, so nothing in them can say which
-- one it is.
local slots = { ["3"] = "rootA", ["4"] = "rootB" }
local slot = slots[(loader.getenv("currdev") or ""):match("p(%d+):?$")]

if slot ~= nil then
	loader.setenv("exitisp.slot", slot)
	loader.setenv("vfs.root.mountfrom", "ufs:/dev/gpt/" .. slot)
	loader.setenv("vfs.root.mountfrom.options", "ro,nosuid")
else
	print("exitisp: " .. tostring(loader.getenv("currdev")) .. " is no slot")
end

-- Restart if the slot has no kernel that can be loaded, where the loader would wait for somebody at its
-- prompt. gptboot starts the other slot then, if there is one to go back to.
local config = require("config")
local load = config.loadelf
config.loadelf = function(...)
	local loaded = load(...)
	if loader.getenv("kernelname") == nil then
		print("exitisp: there is no kernel to start; starting anew")
		loader.delay(5000000)
		loader.perform("reboot")
	end
	return loaded
end

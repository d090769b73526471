-- Make a seamless loop of the selected item's texture.
local folder = ({reaper.get_action_context()})[2]:match("^(.*[/\\])")
dofile(folder .. "audiogen.lua").loop()

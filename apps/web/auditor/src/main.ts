import { followSystemTheme, reloadWhenRebuilt } from '@healthtrust/kit'
import 'element-plus/dist/index.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import '@healthtrust/kit/theme.css'
import '@healthtrust/kit/desk/desk.css'
import { createApp } from 'vue'
import App from './App.vue'
import { router } from './router'
import './style.css'
import { i18n } from './words'

followSystemTheme()
reloadWhenRebuilt()
createApp(App).use(i18n).use(router).mount('#app')
